"""Fields for columns of another application that no field of Django's reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.timezone import is_naive


class AsTextField(models.TextField):
    """A column of a type that Django has no field for, read as the text that its database shows for it."""

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        # The driver never sees the type: it may have no value for it, such as TIME '25:00:00'.
        return f"CAST({sql} AS {'CHAR' if compiler.connection.vendor == 'mysql' else 'TEXT'})", params


class ZonelessDateTimeField(models.DateTimeField):
    """PostgreSQL's `timestamp` without a time zone, read in `DATABASES["mirror"]["TIME_ZONE"]`, by default UTC.

    MySQL and SQLite have no other kind of date and time: there Django's own field does the same.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "timestamp" if connection.vendor == "postgresql" else super().db_type(connection)

    def from_db_value(
        self, value: datetime | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> datetime | None:
        # The driver's value is naive, and cannot be compared with the others.
        return value.replace(tzinfo=connection.timezone) if value is not None and is_naive(value) else value
