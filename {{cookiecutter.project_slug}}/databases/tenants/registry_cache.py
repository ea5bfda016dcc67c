"""The process's cache of registry rows: it saves a query per request, and keeps tenants served in an outage.

A row is read again after `TENANT_CACHE_SECONDS`, together with other rows that are as old. While the registry's
database is down, cached rows stay valid; tenants that are not in the cache are unavailable.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import OrderedDict
from itertools import islice
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, InterfaceError, connections
from django.db.models import Q
from django.db.models.signals import post_delete, post_save

from databases.availability import is_outage
from databases.tenants.context import UnknownTenantError
from databases.tenants.registry import Tenant

logger = logging.getLogger(__name__)

#: Seconds between two attempts to query a database that is down.
RETRY_SECONDS = 2
#: Number of recently used rows that one query refreshes. Without this, nearly every request would send a query.
TOGETHER = 256


class TenantUnavailableError(DatabaseError):
    """A tenant is temporarily unavailable: its pages answer 503."""


class RegistryDownError(TenantUnavailableError):
    """The registry's database is down, and the requested tenant is not in the cache."""


class _Row(NamedTuple):
    tenant: Tenant
    read_at: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.read_at < settings.TENANT_CACHE_SECONDS


class _Outage:
    """Whether the registry's database is down, and which thread tries it next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_down = self._is_tried = False
        self._next = 0.0

    def may_query(self) -> bool:
        """Return whether this thread may query the registry. During an outage one thread may, every `RETRY_SECONDS`."""
        with self._lock:
            may = not self._is_down or (not self._is_tried and time.monotonic() >= self._next)
            self._is_tried |= may
            return may

    def note_unknown(self) -> None:
        """Record that the query failed for another reason than an outage: the next thread may try."""
        with self._lock:
            self._is_tried = False

    def note(self, error: Exception | None) -> None:
        """Record the result of a query: the error if the database is down, else `None`."""
        with self._lock:
            begins = error is not None and not self._is_down
            self._is_down, self._is_tried = error is not None, False
            self._next = time.monotonic() + RETRY_SECONDS
        if begins:
            # Only the class: messages of drivers contain the address, and some the user.
            logger.warning(
                "The registry of tenants is unavailable (%s): cached tenants are still served", type(error).__name__
            )


#: By slug, the least recently used first.
_rows: OrderedDict[str, _Row] = OrderedDict()
_slugs: dict[str, str] = {}
_outage = _Outage()


def by_slug(slug: str) -> Tenant:
    """Return the tenant with a slug, in any status. Raises `UnknownTenantError` and `RegistryDownError`."""
    row = _rows.get(slug)
    return _used(row) if row is not None and row.is_fresh else _read(row, slug=slug)


def by_host(host: str) -> Tenant:
    """Return the tenant with a host, the name before `SITE_DOMAIN` in addresses. Raises what `by_slug` raises."""
    row = _rows.get(_slugs.get(host, ""))
    if row is not None and row.tenant.host != host:
        row = None
    return _used(row) if row is not None and row.is_fresh else _read(row, host=host)


def forget(slug: str) -> None:
    """Remove a tenant from this process's cache. Other processes read the row after `TENANT_CACHE_SECONDS`."""
    _rows.pop(slug, None)


def install() -> None:
    """Remove tenants from the cache when this process saves or deletes them."""
    for signal in (post_save, post_delete):
        signal.connect(_forget, sender=Tenant, dispatch_uid="databases.tenants.registry_cache")


def _forget(instance: Tenant, **kwargs: Any) -> None:
    forget(instance.slug)


def _used(row: _Row) -> Tenant:
    with contextlib.suppress(KeyError):
        # Another thread may have removed it.
        _rows.move_to_end(row.tenant.slug)
    return row.tenant


def _read(row: _Row | None, **which: str) -> Tenant:
    """Return the tenant from the registry or, if the registry is down, from its old row."""
    ((field, value),) = which.items()
    if not _outage.may_query():
        return _from_old_row(row, value)
    read_at = time.monotonic()
    # Never from a replica, which may still have the tenant's address from before a move.
    primary = connections[DEFAULT_DB_ALIAS]
    # Rows read in a transaction may be older than the committed rows, or may be rolled back.
    is_cacheable = not primary.in_atomic_block
    others = _stale_slugs() if is_cacheable else []
    try:
        found = list(Tenant._base_manager.using(DEFAULT_DB_ALIAS).filter(Q(**which) | Q(slug__in=others)))
    except (Error, SynchronousOnlyOperation) as error:
        if isinstance(error, InterfaceError) or is_outage(error.__cause__):
            _outage.note(error)
            with contextlib.suppress(Error):
                # Outside of requests nothing else closes the dead connection.
                primary.close_if_unusable_or_obsolete()
            return _from_old_row(row, value)
        # The open transaction has failed, or this is an event loop's thread.
        _outage.note_unknown()
        if row is None:
            raise
        return row.tenant
    _outage.note(None)
    tenant = next((each for each in found if getattr(each, field) == value), None)
    for slug in {*others, *([row.tenant.slug] if row else [])} - {each.slug for each in found}:
        forget(slug)
    if is_cacheable:
        for each in found:
            # If another thread has removed a row meanwhile, the row has changed since it was read here.
            if each is tenant or each.slug in _rows:
                _rows[each.slug], _slugs[each.host] = _Row(each, read_at), each.slug
    if tenant is None:
        raise UnknownTenantError(f"There is no tenant with the {field} {value!r}: see `list_tenants`.")
    return _used(_Row(tenant, read_at))


def _stale_slugs() -> list[str]:
    """Return the slugs of recently used rows that must be read again too."""
    try:
        last = list(islice(reversed(_rows), TOGETHER))
    except RuntimeError:
        # Another thread has changed the cache during the iteration.
        return []
    return [slug for slug in last if (row := _rows.get(slug)) and not row.is_fresh]


def _from_old_row(row: _Row | None, value: str) -> Tenant:
    if row is None:
        raise RegistryDownError(f"The tenant {value!r} is not in the cache, and the database of the registry is down.")
    return row.tenant
