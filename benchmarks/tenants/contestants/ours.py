"""A project of the template, with managed tenants, its example apps taken out."""

from pathlib import Path

from cookiecutter.main import cookiecutter

from benchmarks.tenants import shop
from benchmarks.tenants.contestants import common
from tests.support import settings
from tests.support.template import ROOT

TEST_TENANTS = 'for slug in ("aperture-science-labs", "vavatch-corp-campus"):'
SETTINGS = """
import os

CENTRAL = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
INSTALLED_APPS = ["databases", *CENTRAL, "shop"]
MIDDLEWARE = ["databases.tenants.middleware.TenantMiddleware"]
ROOT_URLCONF = "shop.urls"
TENANT_CONNECTIONS = int(os.environ.get("BUDGET", TENANT_CONNECTIONS))
for config in (DATABASES["default"], *TENANT_SERVERS.values()):
    config["CONN_MAX_AGE"] = int(os.environ.get("AGE", config["CONN_MAX_AGE"]))
"""
CONTESTANT = """
import os
from django.core.management import call_command
from databases.tenants.models import Tenant
from databases.tenants import template, use_tenant
from databases.tenants.handler import release_connections
from databases.tenants.lifecycle import create_tenant
from shop.rows import fill

PREFIX = os.environ["PREFIX"]

def headers(number):
    return {"HTTP_HOST": f"t-{number}.example.com"}

def prepare():
    call_command("migrate", verbosity=0)

def make(first, end):
    for number in range(first, end):
        create(number)
        with use_tenant(f"t-{number}"):
            fill(f"mark-{number}", f"tenant_t-{number}")
        release_connections()

def register(first, end):
    Tenant.objects.bulk_create(
        Tenant(slug=f"t-{n}", host=f"t-{n}", database=f"{PREFIX}_{n}", status=Tenant.Status.ACTIVE)
        for n in range(first, end)
    )

def create(number):
    create_tenant(f"t-{number}", database=f"{PREFIX}_{number}")

def fill_spares(count):
    template.fill_spares("default", count)

def migrate(jobs=1):
    call_command("migrate_tenants", jobs=jobs, stdout=open(os.devnull, "w"))
"""


def make(folder: Path, django: str, size: shop.Size) -> None:
    """Make the project in a folder that does not exist yet, or change its app where it does."""
    if not folder.exists():
        answers = {"project_slug": folder.name, "primary_database": "postgresql", "secondary_database": "none"}
        answers |= {"tenant_databases": "managed", "django_version": django}
        cookiecutter(str(ROOT), no_input=True, extra_context=answers, output_dir=str(folder.parent))
        for file, text in {
            "config/settings.py": SETTINGS,
            "contestant.py": CONTESTANT,
            "site_wsgi.py": common.WSGI,
        }.items():
            with (folder / file).open("a") as output:
                output.write(text)
        tests = folder / "config/settings_test.py"
        text = tests.read_text()
        assert text.count(TEST_TENANTS) == 1, "The settings of tests declare their tenants in another way."
        tests.write_text(
            text.replace(TEST_TENANTS, "for slug in [f't-{n}' for n in range(int(os.environ['TENANTS']))]:")
        )
    for file, text in shop.files("databases.tenants.TenantModel", size).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)


def environment(url: str, prefix: str) -> dict[str, str]:
    """Return the variables of the project. Arguments: the URL of a database, with `{name}`, and how names begin."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": ".example.com",
        "SITE_DOMAIN": "example.com",
        "DATABASE_URL": url.replace("{name}", f"{prefix}_site"),
        "TENANT_DATABASE_URL": url,
        "PREFIX": prefix,
    }
