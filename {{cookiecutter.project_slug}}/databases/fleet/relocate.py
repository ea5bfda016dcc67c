"""Tenants from one server to another: copied, compared, switched. The old database is closed and kept."""

from __future__ import annotations

from django.db import router, transaction

from databases.fleet import dumps
from databases.fleet.archive import keep_closed, new_password
from databases.fleet.closing import close, open_again, own_settings, seal
from databases.fleet.contents import COUNTS, contents, refuse_difference
from databases.fleet.models import Kind, TenantArtifact, claim_database, discard_unfinished, refuse_lost
from databases.fleet.operations import begun, operation, refuse_unknown_server, refuse_unusable, undo
from databases.fleet.replication import Replication
from databases.fleet.states import FleetStatus
from databases.tenants.lifecycle import refuse_transaction
from databases.tenants.maintenance import maintenance_settings
from databases.tenants.managed.locks import tenant_lock
from databases.tenants.registry import Tenant, find
from databases.tenants.states import Status
from databases.tenants.transitions import change, refuse

#: Seconds for which the rows of an online move may be copied, and for which the new server may take to catch up.
COPYING, CATCHING_UP = 86400, 60


def move(slug: str, server: str, *, timeout: float = 10) -> Tenant:
    """Copy a tenant's database to another server, compare the two, and switch. Returns the tenant's row.

    Meanwhile the tenant's pages answer 503; other tenants are not affected. The old database is kept, closed for
    connections. Arguments: the slug, the server's name, and the seconds that open transactions are given to end. May be
    repeated after any interruption; after an error the tenant is where it was. Raises `ValueError` for a server that
    cannot be used, `TenantError`, `LookupError` and Django's database errors.
    """
    _refuse(slug, server)
    with operation(slug, "move") as tenant:
        password = new_password()
        source = close(tenant, password, timeout)
        target = claim_database(tenant, Kind.TARGET, server)
        into = own_settings(tenant, target.connection_settings(), password)
        dumps.copy(source, into)
        expected = contents(tenant.alias, source)
        refuse_difference(expected, contents(tenant.alias, into), f"{target.database!r} on {server!r}")
        _switch(tenant, target)
    return find(slug)


def move_online(slug: str, server: str, *, timeout: float = 10, copying: float = COPYING) -> Tenant:
    """Do the same by logical replication: the pages answer 503 only at the end, for some seconds.

    Arguments: as for `move`, and the seconds that copying may take. Raises `TenantError` for what is not replicated.
    The numbers of rows are compared, not their values. An interrupted run is cancelled by the next operation on the
    tenant, or by `move_tenant --cancel`; until then the old server keeps its log.
    """
    _refuse(slug, server)
    refuse_transaction()
    with tenant_lock(find(slug)):
        tenant = find(slug)
        if tenant.status == FleetStatus.MOVING:
            # An interrupted run begins again.
            undo(tenant)
            tenant = find(slug)
        if tenant.status != Status.ACTIVE:
            refuse(tenant, "move")
        refuse_unusable(tenant)
        discard_unfinished(tenant)
        try:
            target = claim_database(tenant, Kind.TARGET, server)
            copy = Replication(tenant, maintenance_settings(tenant), target.connection_settings(), new_password())
            copy.start()
            copy.wait_until_copied(copying)
            with begun(tenant, "move"):
                source = close(tenant, copy.password, timeout)
                copy.catch_up(CATCHING_UP)
                copy.stop()
                expected = contents(tenant.alias, source, COUNTS)
                found = contents(tenant.alias, copy.own_target, COUNTS)
                refuse_difference(expected, found, f"{target.database!r} on {server!r}")
                _switch(tenant, target)
        except BaseException:
            discard_unfinished(find(slug))
            raise
    return find(slug)


def _refuse(slug: str, server: str) -> None:
    refuse_unknown_server(server)
    if find(slug).server == server:
        raise ValueError(f"The tenant {slug!r} is on {server!r} already: name another server.")


def _switch(tenant: Tenant, target: TenantArtifact) -> None:
    server, database = target.server, target.database
    # Fails if the registry has restarted, and this process has lost its lock: another one may serve the tenant by now.
    find(tenant.slug)
    # First the old database: both may be on one server, whose users these are.
    seal(tenant, maintenance_settings(tenant))
    open_again(tenant, target.connection_settings())
    with transaction.atomic(using=router.db_for_write(Tenant)):
        refuse_lost(target)
        keep_closed(tenant)
        target.delete()
        change(tenant.slug, "finish moving", server=server, database=database)
