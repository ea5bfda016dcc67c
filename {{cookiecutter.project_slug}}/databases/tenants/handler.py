"""Connections to tenants, made when they are asked for. Tenants never enter `settings.DATABASES`.

Each alias there costs every request time, and one more added while another thread iterates over them raises
`RuntimeError`. This handler looks an unknown `tenant_…` alias up in the registry instead. Aliases that the settings do
declare, as those of the tests, are found first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from django.core.signals import request_finished
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler, load_backend

from . import checks
from .context import ALIAS_PREFIX
from .registry import find, slug_of

#: Connections to tenants that a thread keeps open between requests.
MAX_OPEN = 8

Opened = OrderedDict[str, BaseDatabaseWrapper]


class TenantConnectionHandler(ConnectionHandler):
    """Django's handler, and tenants on demand: the least recently used are closed when a request ends."""

    def __getitem__(self, alias: str) -> BaseDatabaseWrapper:
        if not alias.startswith(ALIAS_PREFIX) or alias in self.settings:
            return super().__getitem__(alias)
        opened = self._opened()
        if alias not in opened:
            config = find(slug_of(alias)).connection_settings()
            opened[alias] = load_backend(config["ENGINE"]).DatabaseWrapper(config, alias)
        opened.move_to_end(alias)
        return opened[alias]

    def __delitem__(self, alias: str) -> None:
        if self._opened().pop(alias, None) is None:
            super().__delitem__(alias)

    def all(self, initialized_only: bool = False) -> list[BaseDatabaseWrapper]:
        # Django's own signals go through here to close old connections and to reset query logs.
        return [*super().all(initialized_only=initialized_only), *self._opened().values()]

    def trim(self, keep: int = MAX_OPEN) -> None:
        """Close the least recently used connections of this thread but `keep` of them."""
        opened = self._opened()
        while len(opened) > keep:
            opened.popitem(last=False)[1].close()

    def _opened(self) -> Opened:
        # In Django's own thread-local: another thread's connections are not this one's.
        local: Any = self._connections  # type: ignore[attr-defined]
        if not hasattr(local, "tenants"):
            local.tenants = OrderedDict()
        opened: Opened = local.tenants
        return opened


def install() -> None:
    """Turn Django's `connections` into this handler, and register the checks of tenants."""
    # Its class is changed, not the object replaced: every module of Django has imported the object by name.
    connections.__class__ = TenantConnectionHandler
    request_finished.connect(trim_connections, dispatch_uid="databases.tenants.handler")
    checks.install()


def trim_connections(**kwargs: Any) -> None:
    """Close this thread's connections to tenants but the `MAX_OPEN` used last."""
    # When a request or a tenant's turn ends, not on look-up: an evicted connection might have an open cursor.
    if isinstance(connections, TenantConnectionHandler):
        connections.trim()
