"""Reads the current tables of the mirror with Django's introspection: columns, keys and relations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper


class UpstreamError(Exception):
    """The other application's database could not be read. The message contains no address and no user."""


@dataclass(frozen=True)
class Column:
    """A column, with the class and arguments of the field that fits it, or with a type that Django does not know."""

    name: str
    field_type: str = ""
    arguments: dict[str, int] = field(default_factory=dict)
    null: bool = False
    unknown_type: str = ""


@dataclass(frozen=True)
class Table:
    """A table or view. `unique` has the columns with a unique constraint of one column.

    `relations` maps each column with a foreign key to its target, as (table, column).
    """

    name: str
    columns: dict[str, Column]
    primary_key: list[str] = field(default_factory=list)
    unique: set[str] = field(default_factory=set)
    relations: dict[str, tuple[str, str]] = field(default_factory=dict)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raise `UpstreamError` for a database error, without its message, which may contain addresses and users."""
    try:
        yield
    except Error as error:
        raise UpstreamError(f"{what} of the mirror could not be read ({type(error).__name__}).") from None


def table_kinds(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return the kind of each table and view by name: t (table), p (partition) or v (view)."""
    with reading("The list of tables"), connection.cursor() as cursor:
        return {info.name: info.type for info in connection.introspection.get_table_list(cursor)}


def read_columns(connection: BaseDatabaseWrapper, names: Iterable[str]) -> dict[str, Table]:
    """Return the tables and views of these names that exist, without keys and relations."""
    kinds = table_kinds(connection)
    return {name: Table(name, _columns(connection, name, kinds[name])) for name in names if name in kinds}


def read_table(connection: BaseDatabaseWrapper, name: str) -> Table:
    """Return a table with its keys and relations."""
    with reading(f"The table {name!r}"), connection.cursor() as cursor:
        introspection = connection.introspection
        relations = {
            # Django 6 adds a third item: what the database does on deletion.
            column: (target[1], target[0])
            for column, target in introspection.get_relations(cursor, name).items()
        }
        primary_key = list(introspection.get_primary_key_columns(cursor, name) or [])
        constraints = introspection.get_constraints(cursor, name).values()
    # A unique index may be partial. MySQL has no partial indexes, and reports constraints as indexes.
    indexes = connection.vendor == "mysql"
    unique = [each["columns"] for each in constraints if each["unique"] and (indexes or not each["index"])]
    return Table(
        name,
        _columns(connection, name),
        primary_key,
        {columns[0] for columns in unique if len(columns) == 1},
        relations,
    )


def _columns(connection: BaseDatabaseWrapper, table: str, kind: str = "t") -> dict[str, Column]:
    with reading(f"The table {table!r}"), connection.cursor() as cursor:
        rows = connection.introspection.get_table_description(cursor, table)
        return {row.name: _column(connection, cursor, row, kind) for row in rows}


def _column(connection: BaseDatabaseWrapper, cursor: CursorWrapper, row: Any, kind: str) -> Column:
    # Databases report every column of a view as nullable.
    null = bool(row.null_ok) and kind != "v"
    try:
        # Not inspectdb's get_field_type(), which guesses: with a wrong guess, every read of the table fails.
        name = _corrected(connection.introspection.get_field_type(row.type_code, row), row)
    except KeyError:
        return Column(row.name, null=null, unknown_type=_type_name(connection, cursor, row))
    arguments = {}
    if name == "CharField":
        if row.display_size and int(row.display_size) > 0:
            arguments = {"max_length": int(row.display_size)}
        else:
            name = "TextField"
    if name == "DecimalField" and None not in (row.precision, row.scale):
        arguments = {"max_digits": row.precision, "decimal_places": row.scale}
    return Column(row.name, name, arguments, null)


def _corrected(field_type: str, row: Any) -> str:
    """Return the class of the field, corrected where Django's introspection of MySQL and MariaDB is imprecise."""
    data_type = getattr(row, "data_type", "")
    # The usual type of a boolean. Drivers report its width.
    if data_type == "tinyint" and row.internal_size == 1:
        return "BooleanField"
    # The driver has one type for BLOB and TEXT.
    if data_type.endswith(("blob", "binary")):
        return "BinaryField"
    return field_type


def _type_name(connection: BaseDatabaseWrapper, cursor: CursorWrapper, row: Any) -> str:
    if connection.vendor == "postgresql" and isinstance(row.type_code, int):
        cursor.execute("SELECT format_type(%s, NULL)", [row.type_code])
        return str(cursor.fetchone()[0])
    return str(getattr(row, "data_type", "") or row.type_code or "no type")
