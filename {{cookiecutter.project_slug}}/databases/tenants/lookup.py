"""Rows of the registry as this process remembers them, so that queries need not ask for them, nor notice an outage.

A row is asked for again after `TENANT_CACHE_SECONDS`, and with it others whose time has come. While the registry's
database is down the rows of before are good for as long as that lasts; tenants that this process has not met are out of
reach.
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

from ..outage import is_outage
from .context import UnknownTenantError
from .registry import Tenant

logger = logging.getLogger(__name__)

#: Between two attempts to ask a database that is down.
RETRY_SECONDS = 2
#: Of those met last so many are kept fresh by one query: one each would be sent with nearly every request.
TOGETHER = 256


class TenantUnavailableError(DatabaseError):
    """What is wanted of a tenant cannot be had now, and can later: its page is a 503."""


class RegistryDownError(TenantUnavailableError):
    """The registry's database is down, and a tenant is wanted that this process has not met."""


class _Row(NamedTuple):
    tenant: Tenant
    asked: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.asked < settings.TENANT_CACHE_SECONDS


class _Outage:
    """Whether the registry's database is down, and whose turn it is to find out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_on = self._is_asked = False
        self._next = 0.0

    def may_ask(self) -> bool:
        """Return whether this thread is to ask. In an outage one at a time is, and not all the time."""
        with self._lock:
            may = not self._is_on or (not self._is_asked and time.monotonic() >= self._next)
            self._is_asked |= may
            return may

    def is_not_known(self) -> None:
        """Note that asking came to nothing, for a reason that is not the database's: the next thread may ask."""
        with self._lock:
            self._is_asked = False

    def note(self, error: Exception | None) -> None:
        """Note what asking came to: an error if the database is down."""
        with self._lock:
            begins = error is not None and not self._is_on
            self._is_on, self._is_asked = error is not None, False
            self._next = time.monotonic() + RETRY_SECONDS
        if begins:
            # The class only: a driver's message quotes the address, and some the user.
            logger.warning(
                "The registry of tenants cannot be asked (%s): those known here are served on", type(error).__name__
            )


#: The least recently used first.
_rows: OrderedDict[str, _Row] = OrderedDict()
_slugs: dict[str, str] = {}
_outage = _Outage()


def by_slug(slug: str) -> Tenant:
    """Return a tenant, whatever its status. Raises `UnknownTenantError`, and `RegistryDownError`."""
    row = _rows.get(slug)
    return _used(row) if row is not None and row.is_fresh else _ask(row, slug=slug)


def by_host(host: str) -> Tenant:
    """Return the tenant whose host this is, which stands before `SITE_DOMAIN` in addresses. Raises like `by_slug`."""
    row = _rows.get(_slugs.get(host, ""))
    if row is not None and row.tenant.host != host:
        row = None
    return _used(row) if row is not None and row.is_fresh else _ask(row, host=host)


def forget(slug: str) -> None:
    """Have a tenant asked for by the next one who wants it in this process. Others find out in their own time."""
    _rows.pop(slug, None)


def install() -> None:
    """Notice what this process itself does to tenants by `save()` and `delete()`."""
    for signal in (post_save, post_delete):
        signal.connect(_forget, sender=Tenant, dispatch_uid="databases.tenants.lookup")


def _forget(instance: Tenant, **kwargs: Any) -> None:
    forget(instance.slug)


def _used(row: _Row) -> Tenant:
    with contextlib.suppress(KeyError):
        # Another thread may have forgotten it.
        _rows.move_to_end(row.tenant.slug)
    return row.tenant


def _ask(row: _Row | None, **which: str) -> Tenant:
    """Return the tenant as the registry has it now, or else as the row of before has it."""
    ((field, value),) = which.items()
    if not _outage.may_ask():
        return _of_before(row, value)
    asked = time.monotonic()
    # Whatever routers say: a copy that lags would lead back to where a tenant was before it moved.
    primary = connections[DEFAULT_DB_ALIAS]
    # What a transaction sees may be older than the rest, or never come to be.
    is_for_all = not primary.in_atomic_block
    others = _others() if is_for_all else []
    try:
        found = list(Tenant._base_manager.using(DEFAULT_DB_ALIAS).filter(Q(**which) | Q(slug__in=others)))
    except (Error, SynchronousOnlyOperation) as error:
        if isinstance(error, InterfaceError) or is_outage(error.__cause__):
            _outage.note(error)
            with contextlib.suppress(Error):
                # A thread that serves no requests would keep the dead connection.
                primary.close_if_unusable_or_obsolete()
            return _of_before(row, value)
        # The transaction here has failed, or this is the thread of an event loop.
        _outage.is_not_known()
        if row is None:
            raise
        return row.tenant
    _outage.note(None)
    tenant = next((each for each in found if getattr(each, field) == value), None)
    for slug in {*others, *([row.tenant.slug] if row else [])} - {each.slug for each in found}:
        forget(slug)
    if is_for_all:
        for each in found:
            # One that another thread has forgotten meanwhile has changed since it was read here.
            if each is tenant or each.slug in _rows:
                _rows[each.slug], _slugs[each.host] = _Row(each, asked), each.slug
    if tenant is None:
        raise UnknownTenantError(f"There is no tenant with the {field} {value!r}: see `list_tenants`.")
    return _used(_Row(tenant, asked))


def _others() -> list[str]:
    """Return the slugs of those used last whose rows are not fresh either."""
    try:
        last = list(islice(reversed(_rows), TOGETHER))
    except RuntimeError:
        # Another thread has met or used one meanwhile.
        return []
    return [slug for slug in last if (row := _rows.get(slug)) and not row.is_fresh]


def _of_before(row: _Row | None, value: str) -> Tenant:
    if row is None:
        raise RegistryDownError(f"The registry of tenants cannot be asked for {value!r}: its database is down.")
    return row.tenant
