"""Which view answers which URL."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("databases.urls")),
    # % if cookiecutter.__secondary
    path("events/", include("events.urls")),  # example
    # % endif
    # % if cookiecutter.__tenants
    path("data-points/", include("projects.urls")),  # example
    # % endif
    path("admin/", admin.site.urls),
]
