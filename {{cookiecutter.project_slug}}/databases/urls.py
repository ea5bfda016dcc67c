"""The layer's pages."""

from django.urls import path

from databases.views import databases, overview

urlpatterns = [path("", overview, name="overview"), path("databases/", databases, name="databases")]
