"""Connections to tenants, opened on demand. Tenants are not added to `settings.DATABASES`.

Each alias in `DATABASES` costs every request time, and adding one while another thread iterates raises `RuntimeError`.
This handler reads the registry for an unknown alias `tenant_<slug>` instead. Aliases that the settings declare, as for
tests, come first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.signals import request_finished
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import ConnectionHandler, load_backend

from databases.tenants import checks, comments, registry_cache
from databases.tenants.budget import InUse, budget, note_wrappers
from databases.tenants.context import ALIAS_PREFIX
from databases.tenants.registry import Tenant, slug_of


class TenantConnectionHandler(ConnectionHandler):
    """Django's handler, extended by connections to tenants, whose number in the process is limited by the budget."""

    def __getitem__(self, alias: str) -> BaseDatabaseWrapper:
        if not alias.startswith(ALIAS_PREFIX) or alias in self.settings:
            return super().__getitem__(alias)
        opened = self._opened()
        connection = opened.get(alias)
        if connection is None or _is_out_of_date(connection):
            connection = self._open(alias, opened)
        opened.move_to_end(alias)
        return connection

    def __delitem__(self, alias: str) -> None:
        """Close this thread's connection to a tenant, and the process's idle connections to it."""
        if not alias.startswith(ALIAS_PREFIX) or alias in self.settings:
            super().__delitem__(alias)
        else:
            connection = self._opened().pop(alias, None)
            budget.forget(alias, [] if connection is None else [connection])

    def all(self, initialized_only: bool = False) -> list[BaseDatabaseWrapper]:
        # Django uses all() to close old connections and to reset query logs.
        return [*super().all(initialized_only=initialized_only), *self._opened().values()]

    def close_all(self) -> None:
        super().close_all()
        self.release()

    @contextmanager
    def override(self, alias: str, config: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
        """Within the block, this thread's connection of the alias is a new connection with these settings.

        For maintenance: the database may not belong to a tenant yet. The connection has no attribute `tenant`, so its
        identity is not checked, and the budget does not count it.
        """
        opened = self._opened()
        before = opened.pop(alias, None)
        connection = opened[alias] = _connection(alias, config)
        try:
            yield connection
        finally:
            connection.close()
            del opened[alias]
            if before is not None:
                opened[alias] = before

    def release(self) -> None:
        """Give this thread's connections to tenants back to the process, except connections in a transaction."""
        budget.give_back(self._opened())

    def _open(self, alias: str, opened: InUse) -> BaseDatabaseWrapper:
        tenant = registry_cache.by_slug(slug_of(alias))
        if _runs_event_loop():
            # In an event loop Django only reads the settings of a connection, as aiterator() does.
            opened[alias] = _of_tenant(tenant)
            return opened[alias]
        if alias in opened:
            budget.forget("", [opened.pop(alias)])
        # Connected here, after the receivers of all apps, so that their wrappers are recorded too.
        connection_created.connect(_note_wrappers, dispatch_uid="databases.tenants.handler")
        connection = opened[alias] = budget.take(tenant, opened, _of_tenant)
        return connection

    def _opened(self) -> InUse:
        # Kept in Django's own thread-local object: each thread has its own connections.
        local: Any = self._connections  # type: ignore[attr-defined]
        try:
            opened: InUse = local.tenants
        except AttributeError:
            opened = local.tenants = InUse()
        return opened


def _is_out_of_date(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a connection has an old address of its tenant. Connections in a transaction stay until its end."""
    tenant = getattr(connection, "tenant", None)
    if tenant is None or connection.in_atomic_block:
        return False
    current = registry_cache.by_slug(tenant.slug)
    if current is not tenant:
        if current.connection_key != tenant.connection_key:
            return True
        connection.tenant = current  # type: ignore[attr-defined]
    return False


def _of_tenant(tenant: Tenant) -> BaseDatabaseWrapper:
    if tenant.state.is_closed:
        # SQLite would make an empty file.
        raise registry_cache.TenantUnavailableError(
            f"Connections to {tenant.alias!r} are refused, because it is {tenant.status}: {tenant.state.way_out}."
        )
    connection = _connection(tenant.alias, tenant.connection_settings())
    # Receivers of connection_created read whose database this must be.
    connection.tenant = tenant  # type: ignore[attr-defined]
    return connection


def _connection(alias: str, config: dict[str, Any]) -> BaseDatabaseWrapper:
    connection: BaseDatabaseWrapper = load_backend(config["ENGINE"]).DatabaseWrapper(config, alias)
    return connection


def _note_wrappers(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    note_wrappers(connection)


def _runs_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def install() -> None:
    """Turn Django's `connections` into this handler, and connect the signals that belong to it."""
    # The class is changed instead of replacing the object, which all modules of Django have imported by name.
    connections.__class__ = TenantConnectionHandler
    request_finished.connect(release_connections, dispatch_uid="databases.tenants.handler")
    comments.install()
    registry_cache.install()
    checks.install()


def release_connections(**kwargs: Any) -> None:
    """Give this thread's connections to tenants back to the process, after a request or the work for one tenant."""
    if isinstance(connections, TenantConnectionHandler):
        connections.release()
