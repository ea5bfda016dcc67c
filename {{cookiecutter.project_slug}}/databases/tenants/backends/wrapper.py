"""What the connections to tenants of all engines have in common: they are taken from the pool of the process.

Django's own pool support plugs in at the same two methods, `get_new_connection` and `_close`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from django.db import connections
from django.db.backends.base.base import NO_DB_ALIAS

from databases.tenants.context import TenantUnavailableError
from databases.tenants.leases import Lease, opened
from databases.tenants.pool import pool
from databases.tenants.registry import TenantInfo
from databases.tenants.registry_cache import cache

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper as Base
else:
    Base = object


class TenantWrapper(Base):
    """A mixin for an engine's `DatabaseWrapper`. Django closes it when the request ends, as `CONN_MAX_AGE` is 0."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: One or none. The code that removes it must give it back.
        self._leases: list[Lease] = []
        #: Cursors that code still has.
        self._cursors: WeakSet[Any] = WeakSet()
        self.used_at = 0.0

    @property
    def lease(self) -> Lease | None:
        """The place in the pool that this connection has."""
        return next(iter(self._leases), None)

    def let_go(self) -> Lease | None:
        """Forget the place in the pool, and return it. Only one thread gets it, if two call this at once."""
        # Without contextlib: this also runs when Python ends, and this module's names are gone.
        try:
            return self._leases.pop()
        except IndexError:
            return None

    @property
    def tenant(self) -> TenantInfo:
        """The registry row that this connection was made from."""
        tenant: TenantInfo = self.settings_dict["TENANT"]
        return tenant

    def connect(self) -> None:
        if self.alias == NO_DB_ALIAS:
            # Django's connection to the server, beside the tenant's database.
            return super().connect()
        # The tenant may have moved, or have a new password, since this wrapper was made.
        tenant = cache.by_slug(self.tenant.slug)
        if tenant.state.is_closed:
            raise TenantUnavailableError(
                f"Connections to {tenant.alias!r} are refused, because it is {tenant.status}: {tenant.state.way_out}."
            )
        self.settings_dict = tenant.entry
        # A thread keeps one connection, besides those in use. No request may end in it, and give others back.
        opened.give_back()
        # Code may have kept this wrapper since an earlier request. Django must find it, to close it.
        connections[self.alias] = self
        try:
            super().connect()
        except BaseException:
            # Else Django would use a connection that a receiver of `connection_created` has refused.
            self.errors_occurred = True
            self.close()
            raise

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if self.alias == NO_DB_ALIAS:
            return self.open(conn_params)
        lease = pool.take(self.tenant.connection_key, lambda: self.open(conn_params), self)
        # First: otherwise another thread would take a new connection for a forgotten one.
        self.used_at = time.monotonic()
        self._leases.append(lease)
        opened.add(self)
        return lease.raw

    def open(self, conn_params: dict[str, Any]) -> Any:
        """Return a new connection of the driver."""
        return super().get_new_connection(conn_params)

    def _prepare_cursor(self, cursor: Any) -> Any:
        # Django calls it for every cursor.
        prepared = super()._prepare_cursor(cursor)  # type: ignore[misc]
        self.used_at = time.monotonic()
        if hasattr(cursor, "closed"):
            self._cursors.add(prepared)
        return prepared

    def chunked_cursor(self) -> Any:
        # SQLite's and MySQL's cursors do not tell that they are closed. These live as long as their queryset is read.
        cursor = super().chunked_cursor()
        self._cursors.add(cursor)
        return cursor

    def is_in_use(self) -> bool:
        """Return whether it is in an `atomic()` block, or code may read from it."""
        return self.in_atomic_block or any(not getattr(each, "closed", False) for each in list(self._cursors))

    def may_have_uncommitted(self) -> bool:
        """Return whether it is without autocommit, by `set_autocommit(False)` or while `atomic()` commits."""
        return self.connection is not None and not self.autocommit

    def close_if_unusable_or_obsolete(self) -> None:
        # Django calls this when a request ends. It would break off a transaction that is not the request's own.
        if self.is_in_use():
            return
        if self.errors_occurred:
            # Not used again, whatever happened: a migration may have outdated a prepared statement.
            self.close()
        super().close_if_unusable_or_obsolete()
        if self.connection is None and connections[self.alias] is self:
            # A thread would keep a wrapper for each tenant. The next request makes a new one.
            del connections[self.alias]

    def _close(self) -> Any:
        in_use, lease = self.is_in_use(), self.let_go()
        if lease is None:
            return super()._close()  # type: ignore[misc]
        opened.forget(self)
        pool.give_back(lease, reusable=not (self.errors_occurred or in_use) and self.reset(lease.raw))
        return None

    def reset(self, raw: Any) -> bool:
        """Undo what a request has changed in the session of a driver's connection.

        Return whether another request may use it. Otherwise it is closed, which makes its place free.
        """
        return False

    @staticmethod
    def is_alive(raw: Any) -> bool:
        """Return whether an idle connection of the driver can be used, without asking the server."""
        return False
