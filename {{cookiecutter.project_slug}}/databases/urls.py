"""The layer's pages: the overview, and the pages in the `urls.py` of each role."""

from importlib import import_module

from django.apps import apps
from django.urls import URLPattern, URLResolver, path
from django.utils.module_loading import module_has_submodule

from databases.views import overview

urlpatterns: list[URLPattern | URLResolver] = [path("", overview, name="overview")]
for config in apps.get_app_configs():
    if config.name.startswith("databases.") and module_has_submodule(config.module, "urls"):
        urlpatterns += import_module(f"{config.name}.urls").urlpatterns
