"""The user and password that the owner of a tenant's database gave."""

from __future__ import annotations

import getpass
import re
import sys

from databases.tenants.credentials import passwords
from databases.tenants.credentials.store import replace
from databases.tenants.registry import Tenant, find


def store(slug: str, user: str, password: str = "", *, variable: str = "") -> Tenant:
    """Store the user and password that the owner of a tenant's database gave, and return the tenant's row.

    Arguments: the slug, the user, and the password or the name of a variable. Raises what `kept` raises, `StateError`,
    and Django's database errors if the server refuses the credentials.
    """
    replace(find(slug), user, kept(user, password, variable))
    return find(slug)


def kept(user: str, password: str, variable: str) -> str:
    """Return the registry's text for the password of a user.

    Arguments: the user, and either the password, which is encrypted, or the name of an environment variable that holds
    it in every process. Raises `ValueError` for an invalid user or variable, and `LookupError` if a key is missing.
    """
    if not re.fullmatch(r"[^\0\n]{1,63}", user):
        raise ValueError(f"{user!r} cannot be the name of a database user: use at most 63 characters in one line.")
    if variable and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise ValueError(f"{variable!r} cannot be the name of an environment variable: use letters, digits and _.")
    return f"{passwords.NAMED}{variable}" if variable else passwords.encrypt(password)


def read_password() -> str:
    """Return the password from standard input. Every user of the machine can read arguments of commands."""
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
