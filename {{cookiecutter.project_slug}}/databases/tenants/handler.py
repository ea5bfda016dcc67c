"""Connections to tenants, made when they are asked for. Tenants never enter `settings.DATABASES`.

Each alias there costs every request time, and one more added while another thread iterates over them raises
`RuntimeError`. This handler looks an unknown `tenant_…` alias up in the registry instead. Aliases that the settings do
declare, as those of the tests, are found first.
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

from . import checks, comments, lookup
from .budget import InUse, budget, note_wrappers
from .context import ALIAS_PREFIX
from .registry import Tenant, slug_of
from .states import WAYS_OUT


class TenantConnectionHandler(ConnectionHandler):
    """Django's handler, and tenants on demand, within the budget of the process."""

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
        """Close this thread's connection to a tenant, and those of the process that nobody uses."""
        if not alias.startswith(ALIAS_PREFIX) or alias in self.settings:
            super().__delitem__(alias)
        else:
            connection = self._opened().pop(alias, None)
            budget.forget(alias, [] if connection is None else [connection])

    def all(self, initialized_only: bool = False) -> list[BaseDatabaseWrapper]:
        # Django's own signals go through here to close old connections and to reset query logs.
        return [*super().all(initialized_only=initialized_only), *self._opened().values()]

    def close_all(self) -> None:
        super().close_all()
        self.release()

    @contextmanager
    def instead(self, alias: str, config: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
        """Within the block, this thread's connection of the alias is a new one with these settings, whoever's they are.

        For upkeep: databases that are not, or not yet, the tenant's. Its `tenant` is not set, so nothing is checked,
        and the budget does not count it.
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
        """Give this thread's connections to tenants back to the process, but for those in a transaction."""
        budget.give_back(self._opened())

    def _open(self, alias: str, opened: InUse) -> BaseDatabaseWrapper:
        tenant = lookup.by_slug(slug_of(alias))
        if _runs_event_loop():
            # Django looks one up there to read its settings, as aiterator() does; it cannot be used from there.
            opened[alias] = _of_tenant(tenant)
            return opened[alias]
        if alias in opened:
            budget.forget("", [opened.pop(alias)])
        # Here, so that it is after the receivers of every app, whose wrappers are to be noted too.
        connection_created.connect(_note_wrappers, dispatch_uid="databases.tenants.handler")
        connection = opened[alias] = budget.take(tenant, opened, _of_tenant)
        return connection

    def _opened(self) -> InUse:
        # In Django's own thread-local: another thread's connections are not this one's.
        local: Any = self._connections  # type: ignore[attr-defined]
        try:
            opened: InUse = local.tenants
        except AttributeError:
            opened = local.tenants = InUse()
        return opened


def _is_out_of_date(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a connection leads to where its tenant was before. One in a transaction is left until its end."""
    tenant = getattr(connection, "tenant", None)
    if tenant is None or connection.in_atomic_block:
        return False
    current = lookup.by_slug(tenant.slug)
    if current is not tenant:
        if current.place != tenant.place:
            return True
        connection.tenant = current  # type: ignore[attr-defined]
    return False


def _of_tenant(tenant: Tenant) -> BaseDatabaseWrapper:
    if tenant.is_closed:
        # SQLite would make an empty file in its place.
        raise lookup.TenantUnavailableError(
            f"Nobody connects to {tenant.alias!r} now, which is {tenant.status}: {WAYS_OUT[tenant.status]}."
        )
    connection = _connection(tenant.alias, tenant.connection_settings())
    # Who the database must belong to: whoever looks after new connections may want to know.
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
    """Turn Django's `connections` into this handler, and put in place what belongs to it."""
    # Its class is changed, not the object replaced: every module of Django has imported the object by name.
    connections.__class__ = TenantConnectionHandler
    request_finished.connect(trim_connections, dispatch_uid="databases.tenants.handler")
    comments.install()
    lookup.install()
    checks.install()


def trim_connections(**kwargs: Any) -> None:
    """Give this thread's connections to tenants back to the process: a request, or a tenant's turn, has ended."""
    if isinstance(connections, TenantConnectionHandler):
        connections.release()
