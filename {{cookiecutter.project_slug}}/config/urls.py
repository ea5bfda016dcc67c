"""Which address is answered by which view."""

from django.contrib import admin
from django.urls import path

from databases.views import overview
# % if cookiecutter.__tenants
from projects.views import data_points
# % endif

urlpatterns = [
    path("", overview, name="overview"),
    path("admin/", admin.site.urls),
    # % if cookiecutter.__tenants
    path("data-points/", data_points, name="data-points"),
    # % endif
]
