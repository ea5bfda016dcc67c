"""django-tenants-router: a database per tenant, added to `settings.DATABASES` when a process starts."""

from benchmarks.tenants import shop
from benchmarks.tenants.contestants import common

PACKAGE = "django-tenants-router==1.0.7"
SETTINGS = """
INSTALLED_APPS += ["django_tenants_router"]
DATABASE_ROUTERS = ["django_tenants_router.router.TenantDatabaseRouter"]
MIDDLEWARE = ["django_tenants_router.middleware.TenantMiddleware"]
TENANT_ROUTER_CONFIG = {
    "ROUTER_APPS": ["auth", "contenttypes", "sessions"],
    "ENCRYPTION_DECYPTION_KEY": "b25seSBmb3IgYmVuY2htYXJrcywgbm90aGluZyBlbHM=",
}
"""
CONTESTANT = """
import os
import uuid
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django_tenants_router.models import Tenant, TenantDatabaseConfig
from django_tenants_router.registry import TenantRegistry
from shop.rows import fill

def headers(number):
    return {"HTTP_HOST": f"t-{number}.example.com", "HTTP_X_TENANT_ID": str(uuid.UUID(int=number + 1))}

def prepare():
    call_command("migrate", verbosity=0)

def make(first, end):
    # The package creates the first one. The others are copies of it, to save time.
    register(first, end)
    TenantRegistry.load_from_db(force=True)
    for number in range(first, end):
        create_database(name(number), template=name(first) if number > first else "template0")
        if number == first:
            call_command("migrate_tenant", tenant_db=f"t-{number}", verbosity=0, stdout=open(os.devnull, "w"))
            connections["t-0"].close()
    for number in range(first, end):
        fill(f"mark-{number}", f"t-{number}")
        connections[f"t-{number}"].close()

def register(first, end):
    cipher = Fernet(settings.TENANT_ROUTER_CONFIG["ENCRYPTION_DECYPTION_KEY"])
    Tenant.objects.bulk_create(
        Tenant(id=uuid.UUID(int=n + 1), name=f"t-{n}", slug=f"t-{n}", schema_name=f"t-{n}") for n in range(first, end)
    )
    TenantDatabaseConfig.objects.bulk_create(
        TenantDatabaseConfig(
            tenant_id=uuid.UUID(int=n + 1),
            host=os.environ["PGDIR"],
            db_name=name(n),
            db_user="postgres",
            db_password=cipher.encrypt(b"secret").decode(),
            conn_max_age=600,
        )
        for n in range(first, end)
    )

def create(number):
    create_database(name(number))
    call_command(
        "create_tenant",
        name=f"t-{number}",
        slug=f"t-{number}",
        schema_name=f"t-{number}",
        db_host=os.environ["PGDIR"],
        db_name=name(number),
        db_user="postgres",
        db_password="secret",
        run_migrations=True,
        verbosity=0,
        stdout=open(os.devnull, "w"),
    )

def migrate(workers=0):
    words = {"parallel": True, "workers": workers} if workers else {}
    call_command("migrate_all_tenants", verbosity=0, stdout=open(os.devnull, "w"), **words)
"""


def files(size: shop.Size) -> dict[str, str]:
    """Return the files of the project by path."""
    return {
        "settings.py": common.SETTINGS + SETTINGS,
        "contestant.py": CONTESTANT.replace("\ndef headers", f"{common.DATABASES}\ndef headers", 1),
        "manage.py": common.MANAGE,
        "site_wsgi.py": common.WSGI,
        **shop.files("models.Model", size),
    }
