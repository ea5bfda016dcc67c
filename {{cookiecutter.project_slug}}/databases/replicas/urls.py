"""The address of the page for monitoring."""

from django.urls import path

from databases.replicas.views import health

urlpatterns = [path("health/", health, name="health")]
