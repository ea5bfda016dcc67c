"""Which view answers which URL."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("databases.urls")),
    # % if cookiecutter.__tenants
    path("", include("projects.urls")),  # example
    # % endif
    path("", include("notes.urls")),  # example
    # % if cookiecutter.__mirror
    path("members/", include("accounts.urls")),  # example
    # % endif
    # % if cookiecutter.__secondary
    path("events/", include("events.urls")),  # example
    # % endif
    path("admin/", admin.site.urls),
]
