"""Database sessions that belong to one tenant: a session cookie replayed on another tenant's host opens nothing."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db

from .context import tenant_or_none

OWNER = "_tenant"


class SessionStore(db.SessionStore):
    """Django's database session, stamped with the tenant that it was made under and refused under any other."""

    def load(self) -> dict[str, Any]:
        return self._ours(super().load())

    async def aload(self) -> dict[str, Any]:
        return self._ours(await super().aload())

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        return super().create_model_instance({**data, OWNER: tenant_or_none()})

    async def acreate_model_instance(self, data: dict[str, Any]) -> Any:
        return await super().acreate_model_instance({**data, OWNER: tenant_or_none()})

    def _ours(self, data: dict[str, Any]) -> dict[str, Any]:
        if data.get(OWNER) == tenant_or_none():
            return data
        # Without its key, saving makes a new session instead of overwriting the other tenant's.
        self._session_key = None
        return {}
