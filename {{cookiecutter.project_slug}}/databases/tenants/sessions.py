"""Database sessions that belong to one tenant: a session cookie is not valid on another tenant's host."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db

from databases.tenants.context import tenant_or_none

OWNER = "_tenant"


class SessionStore(db.SessionStore):
    """Django's database session, stored with its tenant and refused under any other tenant."""

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
        # The key is dropped, so that saving makes a new session instead of overwriting the other tenant's.
        self._session_key = None
        return {}
