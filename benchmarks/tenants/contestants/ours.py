"""A project of the template with managed tenants, or with a fleet, and without its example apps."""

from pathlib import Path

from cookiecutter.main import cookiecutter

from benchmarks.tenants import shop
from benchmarks.tenants.contestants import common
from tests.support import settings
from tests.support.template import ROOT

TEST_TENANTS = 'TEST_TENANTS = ("aperture-science-labs", "vavatch-corp-campus")\n'
SETTINGS = """
import os

CENTRAL = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
INSTALLED_APPS = [*DATABASE_APPS, "users", *CENTRAL, "shop"]
APP_DATABASES = {"shop": "tenant"}
MIDDLEWARE = ["databases.tenants.middleware.TenantMiddleware"]
ROOT_URLCONF = "shop.urls"
TENANT_PASSWORD_KEYS = ["b25seSBmb3IgdGVzdHMsIGFuZCBub3RoaW5nIGVsc2U="]
TENANT_CONNECTIONS = int(os.environ.get("BUDGET", TENANT_CONNECTIONS))
if "PREPARED" in os.environ:
    TENANT_SERVERS["default"]["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 2}
for config in (DATABASES["default"], *TENANT_SERVERS.values()):
    config["CONN_MAX_AGE"] = int(os.environ.get("AGE", config["CONN_MAX_AGE"]))
"""
CONTESTANT = """
import os
from django.core.management import call_command
from databases.tenants import use_tenant
from databases.tenants.leases import opened
from databases.tenants.lifecycle import create_tenant
from databases.tenants.models import Tenant
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
        opened.give_back()

def register(first, end):
    Tenant.objects.bulk_create(
        Tenant(slug=f"t-{n}", host=f"t-{n}", database=f"{PREFIX}_{n}", status=Tenant.Status.ACTIVE)
        for n in range(first, end)
    )

def create(number):
    create_tenant(f"t-{number}", database=f"{PREFIX}_{number}")

def take(number):
    from databases.fleet.placement import create_placed_tenant
    create_placed_tenant(f"t-{number}")

def prepare_databases(count):
    from databases.fleet import ready
    ready.fill("default", count)

def migrate(jobs=1):
    call_command("migrate_tenants", jobs=jobs, stdout=open(os.devnull, "w"))
"""


def make(folder: Path, django: str, size: shop.Size, tenants: str) -> None:
    """Bake the project into a new folder, or change its app in an existing one.

    Arguments: the folder, the version of Django, the size of the app, and the answer to `tenant_databases`.
    """
    if not folder.exists():
        answers = {"project_slug": folder.name, "primary_database": "postgresql", "secondary_database": "none"}
        answers |= {"tenant_databases": tenants, "django_version": django}
        cookiecutter(str(ROOT), no_input=True, extra_context=answers, output_dir=str(folder.parent))
        for file, text in {
            "config/settings.py": SETTINGS,
            "contestant.py": CONTESTANT,
            "site_wsgi.py": common.WSGI,
        }.items():
            with (folder / file).open("a") as output:
                output.write(text)
        databases = folder / "config/databases.py"
        text = databases.read_text()
        assert text.count(TEST_TENANTS) == 1, "The settings declare the tenants of tests in another way."
        declared = "import os\nTEST_TENANTS = tuple(f't-{n}' for n in range(int(os.environ['TENANTS'])))\n"
        databases.write_text(text.replace(TEST_TENANTS, declared))
    for file, text in shop.files("databases.tenants.TenantModel", size).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)


def environment(url: str, prefix: str) -> dict[str, str]:
    """Return the variables of the project. Arguments: the URL of a database, with `{name}`, and a prefix of names."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": ".example.com",
        "SITE_DOMAIN": "example.com",
        "DATABASE_URL": url.replace("{name}", f"{prefix}_site"),
        "TENANT_DATABASE_URL": url,
        "PREFIX": prefix,
    }
