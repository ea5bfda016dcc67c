"""Fields for columns of another application that no field of Django's reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.timezone import is_naive


class SelectedAsText:
    """For fields whose columns the database shows as text: the driver never sees their type."""

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        return f"CAST({sql} AS {'CHAR' if compiler.connection.vendor == 'mysql' else 'TEXT'})", params


class AsTextField(SelectedAsText, models.TextField):
    """A column of a type that Django has no field for, or whose values the driver cannot hold: TIME '25:00:00'."""


class PlainJSONField(SelectedAsText, models.JSONField):
    """PostgreSQL's `json`: psycopg would parse it, and Django once more. Django's own field is for `jsonb`."""


class SizedBinaryField(models.BinaryField):
    """MySQL's `binary(16)`: as `longblob`, the type of Django's own field, a test database could not have it as key."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return f"varbinary({self.max_length})" if connection.vendor == "mysql" else super().db_type(connection)


class BitField(models.PositiveBigIntegerField):
    """MySQL's `bit(8)`, read as a number: the driver has bytes, by which no row is found."""

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        return f"CAST({sql} AS UNSIGNED)" if compiler.connection.vendor == "mysql" else sql, params


class ZonelessDateTimeField(models.DateTimeField):
    """PostgreSQL's `timestamp` without a time zone, read in the `TIME_ZONE` of its database's settings, by default UTC.

    MySQL and SQLite have no other kind of date and time: there Django's own field does the same.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "timestamp" if connection.vendor == "postgresql" else super().db_type(connection)

    def from_db_value(
        self, value: datetime | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> datetime | None:
        # The driver's value is naive, and cannot be compared with the others.
        return value.replace(tzinfo=connection.timezone) if value is not None and is_naive(value) else value
