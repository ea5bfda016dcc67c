"""Databases that are made before their tenants. A new tenant takes one by one transaction on the registry."""

from __future__ import annotations

import uuid

from django.db import router, transaction

from databases.fleet import ownership, roles
from databases.fleet.models import ReadyDatabase
from databases.tenants.credentials import passwords
from databases.tenants.lifecycle import refuse_transaction
from databases.tenants.maintenance import inside, maintenance_settings, server_cursor
from databases.tenants.managed import identity, template
from databases.tenants.managed.ddl import database_exists, drop_database
from databases.tenants.managed.locks import named_lock
from databases.tenants.managed.migration_history import fingerprint
from databases.tenants.registry import Tenant
from databases.tenants.states import Status

#: In place of the slug of a tenant.
NOBODY = "ready"


def take(slug: str, server: str) -> Tenant | None:
    """Register a tenant as active, with a ready database of this release; return `None` if the server has none.

    Raises `IntegrityError` if the slug or host is taken. A rollback makes the database ready again.
    """
    with transaction.atomic(using=router.db_for_write(Tenant)):
        free = ReadyDatabase.objects.select_for_update(skip_locked=True).filter(server=server, migrations=fingerprint())
        found = free.first()
        if found is None:
            return None
        tenant = found.tenant(slug)
        tenant.status = Status.ACTIVE
        tenant.save(force_insert=True)
        found.delete()
        return tenant


def fill(server: str, number: int) -> int:
    """Make databases ready until a server has this number, and return how many were made.

    Drops unfinished ones, and those of other releases: no tenant has had them. Raises `TenantError` where another
    process does the same, `TemplateTenantError`, and database errors.
    """
    refuse_transaction()
    with named_lock(f"ready {server}", f"Another process prepares databases on {server!r}: wait until it ends."):
        for other in ReadyDatabase.objects.filter(server=server).exclude(migrations=fingerprint()):
            _discard(other)
        template.build(server)
        missing = max(0, number - count(server))
        for _ in range(missing):
            _make(server)
        return missing


def count(server: str) -> int:
    """Return how many databases of this release are ready on a server."""
    return ReadyDatabase.objects.filter(server=server, migrations=fingerprint()).count()


def renew_keys() -> None:
    """Encrypt the passwords of ready databases with the first of `TENANT_PASSWORD_KEYS`. Raises `LookupError`."""
    for row in ReadyDatabase.objects.all():
        # Not row.save(): it may have been taken meanwhile, and would be ready again.
        ReadyDatabase.objects.filter(pk=row.pk).update(password=passwords.renew(row.password))


def _make(server: str) -> None:
    row = ReadyDatabase(uid=uuid.uuid4(), server=server)
    row.database = roles.owner_of(row.tenant(NOBODY))
    row.user, row.password = roles.new_credentials(row.tenant(NOBODY))
    # First: what has a row is known to be ours, also if this process is killed.
    row.save()
    tenant = row.tenant(NOBODY)
    config = maintenance_settings(tenant)
    with server_cursor(tenant.alias, config) as cursor:
        roles.install(tenant, cursor)
        template.copy_to(config, server, cursor, roles.owner_of(tenant))
        ownership.TenantRoles().give(tenant, config, cursor)
    with inside(tenant) as connection:
        identity.insert(connection, tenant)
    row.migrations = fingerprint()
    row.save()


def _discard(row: ReadyDatabase) -> None:
    # First: a process of another release may take it, and nobody takes an unfinished one.
    if not ReadyDatabase.objects.filter(pk=row.pk).update(migrations=""):
        return
    tenant = row.tenant(NOBODY)
    config = maintenance_settings(tenant)
    if database_exists(config):
        drop_database(config)
    roles.drop(tenant, config)
    row.delete()
