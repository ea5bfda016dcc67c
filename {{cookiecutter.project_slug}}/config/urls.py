"""Which view answers which URL."""

from django.contrib import admin
from django.urls import include, path

# % if cookiecutter.__secondary or cookiecutter.__tenants
# % if cookiecutter.__secondary
from events.views import events  # example
# % endif
# % if cookiecutter.__tenants
from projects.views import data_points  # example
# % endif

# % endif
urlpatterns = [
    path("", include("databases.urls")),
    path("admin/", admin.site.urls),
    # % if cookiecutter.__secondary
    path("events/", events, name="events"),  # example
    # % endif
    # % if cookiecutter.__tenants
    path("data-points/", data_points, name="data-points"),  # example
    # % endif
]
