"""Another application: a shop (django-oscar) and a website (Wagtail), whose database has 140 tables."""

from pathlib import Path

from tests.support import commands
from tests.support.environments import Environment

#: Creates the tables of the apps in its arguments through an alias without a guard, as the other application would.
MAKE_TABLES = """
import sys
import django
django.setup()
from django.apps import apps
from django.db import connections
with connections["default"].schema_editor() as editor:
    for label in sys.argv[1:]:
        for model in apps.get_app_config(label).get_models():
            editor.create_model(model)
"""

#: Pinned to a release each, because tests expect their tables.
PACKAGES = [
    *("django-oscar>=4.2,<4.3", "wagtail>=8,<8.1"),
    *("django-environ>=0.12", "mysqlclient>=2.2", "psycopg[binary]>=3.2"),
]

SETTINGS = """
import os

import environ
from oscar.defaults import *

SECRET_KEY = "theirs"
DATABASES = {"default": environ.Env.db_url_config(os.environ["THEIR_DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
SITE_ID = 1
ROOT_URLCONF = "their_settings"
STATIC_URL = "static/"
urlpatterns = []
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DJANGO = ["admin", "auth", "contenttypes", "sessions", "messages", "staticfiles", "sites", "flatpages"]
WAGTAIL = [
    *["embeds", "sites", "users", "snippets", "documents", "images", "search", "admin", "locales"],
    *["contrib.forms", "contrib.redirects", "contrib.search_promotions", "contrib.simple_translation"],
]
OSCAR = {
    "analytics": "Analytics", "checkout": "Checkout", "address": "Address", "shipping": "Shipping",
    "catalogue": "Catalogue", "catalogue.reviews": "CatalogueReviews", "communication": "Communication",
    "partner": "Partner", "basket": "Basket", "payment": "Payment", "offer": "Offer", "order": "Order",
    "customer": "Customer", "search": "Search", "voucher": "Voucher", "wishlists": "Wishlists",
    "dashboard": "Dashboard",
}
DASHBOARDS = "reports users orders catalogue offers partners pages ranges reviews vouchers communications shipping"
INSTALLED_APPS = [
    *[f"wagtail.{name}" for name in WAGTAIL], "wagtail", "modelcluster", "taggit",
    *[f"django.contrib.{name}" for name in DJANGO],
]
if "WITHOUT_THE_SHOP" not in os.environ:
    INSTALLED_APPS += [
        "oscar.config.Shop", *[f"oscar.apps.{name}.apps.{label}Config" for name, label in OSCAR.items()],
        *[f"oscar.apps.dashboard.{name}.apps.{name.title()}DashboardConfig" for name in DASHBOARDS.split()],
        "widget_tweaks", "haystack", "treebeard", "django_tables2",
    ]

class NoMigrations(dict):
    def __contains__(self, label):
        return True

    def __getitem__(self, label):
        return None

# Tables are created without migrations, in seconds; twelve years of migrations take minutes.
if "AT_ONCE" in os.environ:
    MIGRATION_MODULES = NoMigrations()
"""
ROWS = """
import django
django.setup()
from django.contrib.auth.models import User
from oscar.core.loading import get_model
from wagtail.models import Locale, Page, Site
User.objects.create_user("chell", "chell@example.com", "a secret")
if not Page.objects.exists():
    Locale.objects.create(language_code="en")
    root = Page.add_root(instance=Page(title="Root"))
    Site.objects.create(hostname="localhost", root_page=root.add_child(instance=Page(title="Welcome")))
kind = get_model("catalogue", "ProductClass").objects.create(name="Device")
get_model("catalogue", "Product").objects.create(title="Portal gun", product_class=kind, upc="PG-1")
"""


def build(environment: Environment, folder: Path, url: str, *, migrate: bool) -> None:
    """Create the tables in an empty database, and some rows.

    Arguments: an environment with `PACKAGES`, a folder for the settings, the URL of the database, and whether the
    website's tables come from its migrations. Those of the shop, which would take minutes, never do.
    """
    folder.mkdir()
    (folder / "their_settings.py").write_text(SETTINGS, encoding="utf-8")
    env = {"DJANGO_SETTINGS_MODULE": "their_settings", "THEIR_DATABASE_URL": url, "PYTHONPATH": str(folder)}
    django = (environment.python, "-m", "django")
    if migrate:
        commands.run([*django, "migrate", "-v0", "--skip-checks"], cwd=folder, env={**env, "WITHOUT_THE_SHOP": "1"})
    at_once = {**env, "AT_ONCE": "1"}
    commands.run([*django, "migrate", "-v0", "--run-syncdb", "--skip-checks"], cwd=folder, env=at_once)
    commands.run([environment.python, "-c", ROWS], cwd=folder, env=env)
