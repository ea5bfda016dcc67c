"""The layer's page."""

from django.urls import path

from databases.views import databases

urlpatterns = [path("databases/", databases, name="databases")]
