"""Passwords of tenants' users: the registry has them encrypted, or names the environment variable that holds them."""

from __future__ import annotations

import os

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from databases.secret import Secret

ENCRYPTED = "fernet:"
NAMED = "env:"


def encrypt(password: str) -> str:
    """Return the encrypted password for the registry. Raises `LookupError` if there is no key."""
    return ENCRYPTED + _keys().encrypt(password.encode()).decode()


def reveal(kept: str) -> Secret:
    """Return the password for the registry's text. Raises `LookupError` if its key or its variable is missing."""
    if kept.startswith(NAMED):
        name = kept.removeprefix(NAMED)
        if name not in os.environ:
            raise LookupError(f"The environment variable {name}, which holds a tenant's password, is not set: set it.")
        return Secret(os.environ[name])
    try:
        return Secret(_keys().decrypt(kept.removeprefix(ENCRYPTED)).decode())
    except InvalidToken:
        # `from None`: the original error shows the encrypted text.
        raise LookupError(
            "A tenant's password was encrypted with a key that TENANT_PASSWORD_KEYS lacks: add it at the end."
        ) from None


def renew(kept: str) -> str:
    """Return the registry's text, encrypted with the first key. Raises `LookupError` like `reveal`."""
    return kept if kept.startswith(NAMED) else encrypt(reveal(kept))


def _keys() -> MultiFernet:
    """Return the keys: the first one encrypts, and all of them decrypt."""
    if not settings.TENANT_PASSWORD_KEYS:
        raise LookupError("TENANT_PASSWORD_KEYS is not set: set it to the keys of tenants' passwords, newest first.")
    return MultiFernet([Fernet(key) for key in settings.TENANT_PASSWORD_KEYS])
