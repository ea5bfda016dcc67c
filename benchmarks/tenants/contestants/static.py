"""Django alone: an alias in `settings.DATABASES` for each tenant, and `.using()` in every query."""

from benchmarks.tenants import shop
from benchmarks.tenants.contestants import common

SETTINGS = """
DATABASE_ROUTERS = ["settings.Router"]
for number in range(int(os.environ["TENANTS"])):
    DATABASES[f"t-{number}"] = {**SERVER, "NAME": f"{PREFIX}_{number}"}


class Router:
    def allow_migrate(self, db, app_label, **hints):
        return (db == "default") != (app_label == "shop")
"""
CONTESTANT = """
import os
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from shop.rows import fill

def headers(number):
    return {"HTTP_HOST": f"t-{number}.example.com"}

def prepare():
    call_command("migrate", verbosity=0)

def make(first, end):
    # Django migrates the first one. The others are copies of it, to save time.
    create(first)
    for number in range(first + 1, end):
        create_database(name(number), template=name(first))
    for number in range(first, end):
        fill(f"mark-{number}", f"t-{number}")
        connections[f"t-{number}"].close()

def create(number):
    create_database(name(number))
    connections.settings[f"t-{number}"] = {**connections.settings["default"], "NAME": name(number)}
    call_command("migrate", database=f"t-{number}", verbosity=0, interactive=False)
    connections[f"t-{number}"].close()

def migrate():
    for number in range(int(os.environ["TENANTS"])):
        call_command("migrate", database=f"t-{number}", verbosity=0, interactive=False)
        connections[f"t-{number}"].close()
"""


def files(size: shop.Size) -> dict[str, str]:
    """Return the files of the project by path."""
    return {
        "settings.py": common.SETTINGS + SETTINGS,
        "contestant.py": CONTESTANT.replace("\ndef headers", f"{common.DATABASES}\ndef headers", 1),
        "manage.py": common.MANAGE,
        "site_wsgi.py": common.WSGI,
        **shop.files("models.Model", size, ".using(alias)"),
    }
