"""Which address is answered by which view."""

from django.contrib import admin
from django.urls import path

# % if cookiecutter.__replica
from databases.replica.views import health
# % endif
from databases.views import overview
# % if cookiecutter.__tenants
from projects.views import data_points
# % endif

urlpatterns = [
    path("", overview, name="overview"),
    path("admin/", admin.site.urls),
    # % if cookiecutter.__replica
    path("health/", health, name="health"),
    # % endif
    # % if cookiecutter.__tenants
    path("data-points/", data_points, name="data-points"),
    # % endif
]
