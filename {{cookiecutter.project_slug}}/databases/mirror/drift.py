"""Compares mirrored models with the mirror's tables, and tells differences that break reads from other differences.

Types are compared by family. A longer text or a wider integer is read like before. A text that was an integer, or a
NULL in a field that is not null=True, reaches code that does not expect it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connections, models

from databases.mirror.introspection import Column, Table, read_columns
from databases.mirror.router import MIRROR
from databases.registry import models_of

INTEGERS = ("Auto", "BigAuto", "SmallAuto", "Integer", "BigInteger", "SmallInteger")
FAMILIES = {
    **{f"{name}Field": "integer" for name in INTEGERS},
    **{f"Positive{name}Field": "integer" for name in ("Integer", "BigInteger", "SmallInteger")},
    **{f"{name}Field": "text" for name in ("Char", "Text", "Slug", "File", "FilePath")},
    **{f"{name}Field": name.lower() for name in ("Decimal", "Float", "Boolean", "Date", "Time", "DateTime")},
    **{
        "DurationField": "duration",
        "UUIDField": "uuid",
        "BinaryField": "binary",
        "JSONField": "json",
        "GenericIPAddressField": "address",
    },
}
#: By engine and family, other families whose columns hold its values: the engine has no type for it, or its driver
#: returns both alike. Source: `data_types` in each of Django's backends.
ALSO_READ_FROM: dict[str, dict[str, set[str]]] = {
    "sqlite": {
        **{"boolean": {"integer"}, "duration": {"integer"}},
        **{"uuid": {"text"}, "json": {"text"}, "address": {"text"}, "text": {"json"}},
    },
    "mysql": {
        **{"boolean": {"integer"}, "integer": {"boolean"}, "duration": {"integer"}},
        **{"uuid": {"text"}, "json": {"text"}, "address": {"text"}, "text": {"json", "uuid"}},
    },
}


@dataclass(frozen=True)
class Finding:
    """One difference. `kind` is a key of `ERRORS` or of `INFORMATION`."""

    kind: str
    model: str
    table: str
    column: str = ""
    details: str = ""

    @property
    def is_error(self) -> bool:
        """Whether reads fail, or return values that the model does not allow."""
        return self.kind in ERRORS

    def __str__(self) -> str:
        text = {**ERRORS, **INFORMATION}[self.kind]
        return text.format(column=repr(self.column), table=repr(self.table), details=self.details)


ERRORS = {
    "missing table": "the table {table} is missing upstream",
    "missing column": "the column {column} is missing upstream",
    "type": "the column {column} has another type upstream: {details}",
    "null": "the column {column} can be NULL upstream, and the field is not null=True",
}
INFORMATION = {
    "extra column": "the column {column} is not copied ({details})",
    "arguments": "the column {column} has other limits upstream: {details}",
    "not null": "the column {column} is never NULL upstream, and the field is null=True",
    "unknown type": "the column {column} was not compared: Django does not know its type, {details}",
}


def copied_models() -> list[type[models.Model]]:
    """Return the models whose tables the mirror must have, including automatic many-to-many tables."""
    return [model for model in models_of(MIRROR) if not model._meta.proxy and not model._meta.swapped]


def read_findings() -> list[Finding]:
    """Return the differences between the mirrored models and the mirror's tables. Raises `UpstreamError`."""
    connection = connections[MIRROR]
    copies = copied_models()
    tables = read_columns(connection, {model._meta.db_table for model in copies})
    return [each for model in copies for each in compare(model, tables.get(model._meta.db_table), connection.vendor)]


def compare(model: type[models.Model], table: Table | None, vendor: str) -> Iterator[Finding]:
    """Yield the differences between a model and its table.

    Arguments: the model, the table or `None` if it is missing, and Django's name of the engine.
    """
    where = (model._meta.label, model._meta.db_table)
    if table is None:
        yield Finding("missing table", *where)
        return
    fields = {str(field.column): field for field in model._meta.local_concrete_fields}
    for name, field in fields.items():
        if name in table.columns:
            for kind, details in _differences(field, table.columns[name], vendor):
                yield Finding(kind, *where, name, details)
        else:
            yield Finding("missing column", *where, name)
    for name, column in table.columns.items():
        if name not in fields:
            yield Finding("extra column", *where, name, column.field_type or column.unknown_type)


def family_of(field: Any) -> str:
    """Return the family of a field, or of the target field of a relation; empty if unknown."""
    while field.remote_field:
        field = field.target_field
    return FAMILIES.get(field.get_internal_type(), "")


def _differences(field: models.Field[Any, Any], column: Column, vendor: str) -> Iterator[tuple[str, str]]:
    here, there = family_of(field), FAMILIES.get(column.field_type, "")
    if column.unknown_type:
        yield "unknown type", column.unknown_type
    elif here and there not in {here, *ALSO_READ_FROM.get(vendor, {}).get(here, ())}:
        yield "type", f"{column.field_type}, and {type(field).__name__} here"
    elif here == there and not field.remote_field and (details := ", ".join(_limits(field, column))):
        yield "arguments", details
    if column.null and not field.null and field not in field.model._meta.pk_fields:
        yield "null", ""
    if field.null and not column.null:
        yield "not null", ""


def _limits(field: models.Field[Any, Any], column: Column) -> Iterator[str]:
    """Yield each argument whose value differs from the column's."""
    if type(field) is models.CharField and column.field_type == "TextField" and field.max_length:
        yield "no max_length"
    # A TextField only validates its max_length.
    if field.get_internal_type() != "TextField":
        for name, value in column.arguments.items():
            if getattr(field, name) != value:
                yield f"{name}={value}"
