"""What may go wrong with a tenant, as lines for people: commands and the admin say the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import CommandError
from django.db import DatabaseError

from .states import TenantError

#: Errors whose message is all that the person who asked for something needs.
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
def told_by_command(slug: str) -> Iterator[None]:
    """Within the block, expected errors become `CommandError`s that name the tenant."""
    try:
        yield
    except EXPECTED as error:
        raise CommandError(f"{slug}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """Return an error's message without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
