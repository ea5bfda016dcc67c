"""Errors of operations on tenants as messages of one line, for commands and the admin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import CommandError
from django.db import DatabaseError

from databases.tenants.states import TenantError

#: Errors of which the message is shown, without a traceback.
EXPECTED = (
    TenantError,
    ValueError,
    LookupError,
    OSError,
    DatabaseError,
    ImproperlyConfigured,
    ValidationError,
)


@contextmanager
def command_errors(slug: str) -> Iterator[None]:
    """Within the block, expected errors become `CommandError`s that name the tenant."""
    try:
        yield
    except EXPECTED as error:
        raise CommandError(f"{slug}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """Return an error's message without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
