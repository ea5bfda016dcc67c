"""Passwords of tenants' own users: encrypted in the registry, or kept in the environment and named there."""

from __future__ import annotations

import os

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

ENCRYPTED = "fernet:"
NAMED = "env:"


class Password(str):
    """A password that shows itself to nobody who prints what it is in."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'********'"


def encrypt(password: str) -> str:
    """Return the password as the registry keeps it. Raises `LookupError` where there is no key to encrypt with."""
    return ENCRYPTED + _keys().encrypt(password.encode()).decode()


def reveal(kept: str) -> Password:
    """Return the password that the registry keeps. Raises `LookupError` where its key or its variable is missing."""
    if kept.startswith(NAMED):
        name = kept.removeprefix(NAMED)
        if name not in os.environ:
            raise LookupError(f"The environment variable {name}, which a tenant's password is kept in, is not set.")
        return Password(os.environ[name])
    try:
        return Password(_keys().decrypt(kept.removeprefix(ENCRYPTED)).decode())
    except InvalidToken:
        # `from None`: whoever sees the error must not see what was to be decrypted.
        raise LookupError(
            "A tenant's password was encrypted with a key that TENANT_PASSWORD_KEYS lacks: put it there, at the end."
        ) from None


def renew(kept: str) -> str:
    """Return what the registry keeps, encrypted with the first key now. Raises `LookupError` like `reveal`."""
    return kept if kept.startswith(NAMED) else encrypt(reveal(kept))


def _keys() -> MultiFernet:
    """Return what encrypts with the first of the keys and decrypts with any."""
    if not settings.TENANT_PASSWORD_KEYS:
        raise LookupError("TENANT_PASSWORD_KEYS is not set: it holds the keys of tenants' passwords, newest first.")
    return MultiFernet([Fernet(key) for key in settings.TENANT_PASSWORD_KEYS])
