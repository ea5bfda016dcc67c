"""Compares the copied models with the other application's tables as they are now.

A difference is an error if a read fails, returns values that the model does not allow, or misses rows. Types are
compared by family, and integers by their range: a filter for a number that does not fit its field finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from databases.foreign.columns import DIGITS, Column
from databases.foreign.fields import AsTextField, PlainJSONField, ZonelessDateTimeField
from databases.foreign.source import Source
from databases.foreign.upstream import Table, hidden_rows, read_tables

#: Fields of ours that read what a field of Django's reads.
LIKE = {"BitField": "PositiveBigIntegerField", "SizedBinaryField": "BinaryField"}
TEXTS = dict.fromkeys(("CharField", "TextField", "SlugField", "FileField", "FilePathField"), "text")
#: What databases other than PostgreSQL keep in columns of another family, and Django reads from there.
ALSO = {
    **dict.fromkeys(("UUIDField", "GenericIPAddressField", "JSONField"), "text"),
    **dict.fromkeys(("DurationField", "BooleanField"), "integer"),
}


class Finding(NamedTuple):
    """One difference. Its level is `error`, or `info` for one that breaks no read."""

    level: str
    model: str
    table: str
    column: str
    kind: str
    message: str


def read_findings(source: Source) -> list[Finding]:
    """Return how models and database differ. Raises `DatabaseError` if the database does not answer."""
    connection, copies = source.connection, source.copied_models()
    keys = {each._meta.db_table: getattr(each, "chosen_key", "") for each in copies}
    tables, failed = read_tables(source, keys)
    hidden = hidden_rows(connection)
    found: list[Finding] = []
    for model in copies:
        label, name = model._meta.label, model._meta.db_table
        if why := failed.get(name):
            kind = "missing table" if why == "is missing" else "unreadable table"
            found.append(Finding("error", label, name, "", kind, f"the table {name!r} {why}"))
        else:
            found += [Finding(level, label, name, *rest) for level, *rest in compare(model, tables[name], connection)]
            if name in hidden:
                text = "row-level security may hide rows from this project's database user"
                found.append(Finding("info", label, name, "", "hidden rows", text))
    return found


def compare(model: type[Model], table: Table, connection: BaseDatabaseWrapper) -> Iterator[tuple[str, str, str, str]]:
    """Yield level, column, kind and message of each difference between a model and its table."""
    meta: Any = model._meta
    fields: dict[str, Any] = {str(field.column): field for field in meta.local_concrete_fields}
    for name, field in fields.items():
        column = table.columns.get(name)
        if not column:
            yield "error", name, "missing column", f"the column {name!r} is missing"
            continue
        # Databases say of every column of a view that it can be NULL.
        generated = getattr(field, "generated", False)
        if column.null and not (field.null or field in meta.pk_fields or table.is_view or generated):
            yield "error", name, "null", f"the column {name!r} can be NULL"
        if field.null and not (column.null or column.is_zero):
            yield "info", name, "not null", f"the column {name!r} is never NULL"
        for level, kind, text in _differences(field, column, connection):
            yield level, name, kind, f"the column {name!r} {text}"
        if field.remote_field and name not in table.relations and not table.is_view:
            yield "info", name, "no foreign key", f"the column {name!r} is no foreign key"
    for name, column in table.columns.items():
        if name not in fields:
            yield "info", name, "extra column", f"the column {name!r} is not copied ({column.type})"
    if table.is_view and not getattr(model, "chosen_key", ""):
        cure = 'say which column serves as its key, chosen_key = "…"'
        yield "error", "", "view", f"the table has become a view, where nothing is unique: {cure}"
        return
    if {*table.primary_key} != {field.column for field in meta.pk_fields}:
        there = ", ".join(table.primary_key)
        yield "error", "", "primary key", f"the primary key is {there}" if there else "the primary key is gone"
    here = {frozenset([field.column]) for field in fields.values() if field.unique and not field.primary_key}
    together = [*meta.unique_together, *(each.fields for each in meta.total_unique_constraints)]
    here |= {frozenset(meta.get_field(name).column for name in names) for names in together}
    for columns in sorted(here, key=sorted):
        if not table.is_unique(*columns):
            yield "error", "", "unique", f"{', '.join(sorted(columns))}: no longer unique"
    for each in sorted({frozenset(names) for names in table.unique} - here, key=sorted):
        if each <= {*fields}:
            yield "info", "", "unique", f"{', '.join(sorted(each))}: unique there, and not here"


def _differences(field: Any, column: Column, connection: BaseDatabaseWrapper) -> Iterator[tuple[str, str, str]]:
    is_relation = bool(field.remote_field)
    while field.remote_field:
        field = field.target_field
    if isinstance(field, AsTextField):
        # It reads whatever there is.
        return
    name = (
        type(field).__name__ if isinstance(field, ZonelessDateTimeField | PlainJSONField) else field.get_internal_type()
    )
    ranges, like = connection.ops.integer_field_ranges, LIKE.get(column.field, column.field)
    here, there = ("integer" if each in ranges else TEXTS.get(each, each) for each in (name, like))
    if not there or (there == "AsTextField" and not hasattr(models, name)):
        # A field of another package, such as ArrayField, may read it.
        yield "info", "unknown type", f"has a type that was not compared: {column.type}"
    elif here != there and (connection.vendor == "postgresql" or ALSO.get(name) != there):
        yield "error", "type", f"is {column.type}, and {name} here"
    elif here == there == "integer" and not is_relation:
        low, high = connection.ops.integer_field_range(like)
        lowest, highest = connection.ops.integer_field_range(name)
        # PostgreSQL and SQLite have no type for positive numbers, but a constraint.
        if high > highest or (connection.vendor == "mysql" and low < lowest):
            yield "error", "range", f"is {column.type}, whose numbers do not fit {name}: a filter would not find them"
    elif here == there:
        for text in _limits(field, name, column):
            yield "info", "limits", text


def _limits(field: Any, name: str, column: Column) -> Iterator[str]:
    """Yield each argument whose value differs from the column's. A TextField only validates its max_length."""
    if name == "CharField" and column.field == "TextField" and field.max_length:
        yield "has no max_length"
    labels = [label for label, _ in field.flatchoices]
    for key, value in {} if column.arguments is DIGITS else column.arguments.items():
        if key == "choices":
            if labels and labels != [label for label, _ in value]:
                yield f"has the values {', '.join(label for label, _ in value)}"
        elif name != "TextField" and not labels and getattr(field, key, value) != value:
            yield f"has {key}={value}"
