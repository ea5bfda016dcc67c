"""Database sessions that belong to one tenant: a session cookie is not valid on another tenant's host."""

from __future__ import annotations

import hashlib

from django.contrib.sessions.backends import db

from databases.tenants.context import slug_or_none

#: The column has 40 characters. The random part has 124 bits; a collision of two tenants has a chance of 2 ** -64.
RANDOM, MARK = 24, 16


class SessionStore(db.SessionStore):
    """Django's database session. The end of its key is its tenant's mark; keys with any other mark are invalid.

    So a key of another tenant opens nothing, and nothing is saved or deleted under it.
    """

    # Without these names, which are not public, each method that takes a key would read the row first.
    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key) and len(str(key)) == RANDOM + MARK and str(key).endswith(_mark())

    def _get_new_session_key(self) -> str:
        return _marked(super()._get_new_session_key())  # type: ignore[misc]

    async def _aget_new_session_key(self) -> str:
        return _marked(await super()._aget_new_session_key())  # type: ignore[misc]

    def exists(self, session_key: str) -> bool:
        return self._validate_session_key(session_key) and super().exists(session_key)

    async def aexists(self, session_key: str) -> bool:
        return self._validate_session_key(session_key) and await super().aexists(session_key)

    def delete(self, session_key: str | None = None) -> None:
        if session_key is None or self._validate_session_key(session_key):
            super().delete(session_key)

    async def adelete(self, session_key: str | None = None) -> None:
        if session_key is None or self._validate_session_key(session_key):
            await super().adelete(session_key)


def _marked(key: str) -> str:
    return key[:RANDOM] + _mark()


def _mark() -> str:
    return hashlib.sha256(str(slug_or_none()).encode()).hexdigest()[:MARK]
