"""django-tenants: a schema per tenant, all in one database."""

from benchmarks.tenants import shop
from benchmarks.tenants.contestants import common

PACKAGE = "django-tenants==4.0.1"
SETTINGS = """
DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
SHARED_APPS = ["django_tenants", "customers", *CENTRAL]
TENANT_APPS = ["shop"]
INSTALLED_APPS = SHARED_APPS + TENANT_APPS
TENANT_MODEL = "customers.Tenant"
TENANT_DOMAIN_MODEL = "customers.Domain"
MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware"]
TENANT_LIMIT_SET_CALLS = "LIMITED" in os.environ
TENANT_MULTIPROCESSING_MAX_PROCESSES = 2
"""
MODELS = """
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin

class Tenant(TenantMixin):
    name = models.CharField(max_length=100)

class Domain(DomainMixin):
    pass
"""
CONTESTANT = """
import os
from django.core.management import call_command
from django.db import connection
from django.test.utils import override_settings
from customers.models import Domain, Tenant
from shop.rows import fill

def headers(number):
    return {"HTTP_HOST": f"t-{number}.example.com"}

def prepare():
    call_command("migrate_schemas", shared=True, verbosity=0, interactive=False)

def make(first, end):
    for number in range(first, end):
        create(number)
        connection.set_schema(f"t_{number}")
        fill(f"mark-{number}", "default")
        connection.set_schema_to_public()

def register(first, end):
    # Not with save(), which creates the schema.
    Tenant.objects.bulk_create(Tenant(schema_name=f"t_{n}", name=f"t-{n}") for n in range(first, end))
    Domain.objects.bulk_create(
        Domain(domain=f"{tenant.name}.example.com", tenant=tenant)
        for tenant in Tenant.objects.filter(name__in=[f"t-{n}" for n in range(first, end)])
    )

def create(number):
    tenant = Tenant(schema_name=f"t_{number}", name=f"t-{number}")
    tenant.save(verbosity=0)
    Domain.objects.create(domain=f"t-{number}.example.com", tenant=tenant)

def clone(number):
    with override_settings(TENANT_CREATION_FAKES_MIGRATIONS=True, TENANT_BASE_SCHEMA="t_base"):
        create(number)

def make_base():
    Tenant(schema_name="t_base", name="base").save(verbosity=0)

def migrate(executor="standard"):
    call_command("migrate_schemas", tenant=True, executor=executor, verbosity=0, interactive=False)
"""


def files(size: shop.Size) -> dict[str, str]:
    """Return the files of the project by path."""
    return {
        "settings.py": common.SETTINGS + SETTINGS,
        "contestant.py": CONTESTANT,
        "manage.py": common.MANAGE,
        "site_wsgi.py": common.WSGI,
        "customers/__init__.py": "",
        "customers/models.py": MODELS,
        **shop.files("models.Model", size),
    }
