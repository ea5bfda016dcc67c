"""Reads the other application's tables as they are now: by Django's introspection, and by what that leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import split_identifier

from databases.foreign.columns import Column, describe, is_unusable, read_types
from databases.foreign.source import Source

#: PostgreSQL: 42501; MySQL and MariaDB: 1142 for a table, 1143 for a column.
DENIED = ("42501", 1142, 1143)
#: The columns of unique indexes, in their order; NULL is an expression. An index for some rows only, or an invalid one,
#: makes nothing unique. Django counts columns that an index includes, and on SQLite misreads those without a name.
UNIQUE = {
    "postgresql": """
        SELECT i.indexrelid, a.attname
        FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = %s::regclass AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
          AND k.place <= i.indnkeyatts
        ORDER BY 1, k.place
    """,
    "sqlite": """
        SELECT l.seq, i.name FROM pragma_index_list(%s) l JOIN pragma_index_info(l.name) i
        WHERE l."unique" AND NOT l.partial ORDER BY l.seq, i.seqno
    """,
}
#: Foreign keys of one column, to other schemas too. One that was never validated may lead nowhere.
RELATIONS = """
    SELECT a.attname, b.attname,
           CASE WHEN pg_table_is_visible(t.oid) THEN t.relname ELSE format('"%%s"."%%s"', nspname, relname) END
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.confrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
    WHERE c.contype = 'f' AND c.convalidated AND c.conrelid = %s::regclass AND cardinality(c.conkey) = 1
"""
#: A line of SHOW CREATE TABLE. Comments of columns may have the same words.
FOREIGN_KEY = re.compile(r"^  CONSTRAINT `.+` FOREIGN KEY \(`([^`]+)`\) REFERENCES `([^`]+)` \(`([^`]+)`\)", re.M)


@dataclass(frozen=True)
class Table:
    """A table or view: its key, columns that are unique together, and the `(table, column)` that columns lead to."""

    name: str
    columns: dict[str, Column]
    primary_key: tuple[str, ...]
    unique: set[tuple[str, ...]]
    relations: dict[str, tuple[str, str]]
    is_view: bool = False

    def is_unique(self, *columns: str) -> bool:
        """Return whether no two rows have the same values in these columns."""
        return any({*columns} == {*each} for each in [self.primary_key, *self.unique])


def table_kinds(connection: BaseDatabaseWrapper, schema: str = "") -> dict[str, str]:
    """Return t (table), p (part of a table) or v (view) for each name, as `db_table` has it, in a schema."""
    with _in_schema(connection, schema), connection.cursor() as cursor:
        found = connection.introspection.get_table_list(cursor)
    # Django does not tell the kind of MariaDB's tables with system versioning.
    return {f'"{schema}"."{info.name}"' if schema else info.name: info.type or "t" for info in found}


def read_tables(source: Source, keys: Mapping[str, str]) -> tuple[dict[str, Table], dict[str, str]]:
    """Return the tables that can be read, and why the others cannot.

    Arguments: the database, and for each name, as `db_table` has it, the column that was chosen as its key, or `""`.
    Raises `DatabaseError` if the database does not answer.
    """
    connection = source.connection
    found: dict[str, Table] = {}
    failed: dict[str, str] = {}
    schemas = {split_identifier(name)[0] for name in keys}
    kinds = {name: kind for schema in {"", *schemas} for name, kind in table_kinds(connection, schema).items()}
    for name, key in keys.items():
        if name not in kinds:
            failed[name] = "is missing"
            continue
        if any(is_unusable(source, each) for each in split_identifier(name)):
            failed[name] = "Django cannot use such names"
            continue
        try:
            with connection.execute_wrapper(_no_rows), connection.cursor() as cursor:
                found[name] = _Reader(source, cursor, name).table(key, kinds)
        # Django's introspection of SQLite raises IndexError for `UNIQUE (x, y)`, where names have one letter.
        except (DatabaseError, IndexError) as error:
            cause: Any = error.__cause__
            code = getattr(cause, "sqlstate", None) or next(iter(getattr(cause, "args", ())), None)
            # No more of the message: it may quote addresses and users.
            failed[name] = "permission denied" if code in DENIED else f"cannot be read ({type(error).__name__})"
    return found, failed


def hidden_rows(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the tables of PostgreSQL's search path whose rows a policy may hide from our user."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE row_security_active(oid) AND pg_table_is_visible(oid) ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall()]


@contextmanager
def _in_schema(connection: BaseDatabaseWrapper, schema: str) -> Iterator[None]:
    """Let Django's introspection, which knows no schemas, see the tables of one."""
    if not schema:
        yield
        return
    with transaction.atomic(using=connection.alias):
        # By the driver: our own filter refuses SET.
        connection.connection.execute(f"SET LOCAL search_path TO {connection.ops.quote_name(schema)}")
        yield


def _no_rows(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Describe tables without a row of theirs: a driver may be unable to read it."""
    return execute(re.sub(r"^(SELECT \* FROM .*) LIMIT 1$", r"\1 LIMIT 0", sql), params, many, context)


class _Reader:
    """Reads one table."""

    def __init__(self, source: Source, cursor: Any, name: str) -> None:
        self.source, self.connection, self.cursor, self.name = source, source.connection, cursor, name
        self.quoted, self.vendor = self.connection.ops.quote_name(name), self.connection.vendor

    def ask(self, sql: str, *parameters: str) -> list[Any]:
        self.cursor.execute(sql, parameters or None)
        return list(self.cursor.fetchall())

    def table(self, key: str, kinds: Mapping[str, str]) -> Table:
        schema, bare = split_identifier(self.name)
        is_view = kinds[self.name] == "v"
        introspection = self.connection.introspection
        with _in_schema(self.connection, schema):
            rows = introspection.get_table_description(self.cursor, bare)
            constraints = {} if is_view else introspection.get_constraints(self.cursor, bare)
        types = read_types(self.cursor, self.vendor, self.quoted)
        # A date may be 0000-00-00, and a TIME have any hours: no Django project writes either.
        odd = self.vendor == "mysql" and "django_migrations" not in kinds
        columns = {row.name: describe(self.source, row, *types.get(row.name, ("", [])), odd, is_view) for row in rows}
        # MariaDB shows such columns only where a statement names them.
        hidden = {name: f"an invisible {kind}" for name, (kind, _) in types.items() if name not in columns}
        columns |= {name: Column(name, "", {}, True, kind) for name, kind in hidden.items()}
        if is_view or key:
            return Table(self.name, columns, (key,) if key else (), set(), {}, is_view)
        # MySQL tells users that may only SELECT of a primary key by this name alone.
        primary = [
            each
            for label, each in constraints.items()
            if each["primary_key"] or (self.vendor == "mysql" and label == "PRIMARY")
        ]
        # MariaDB adds a column that cannot be read to the keys of tables with system versioning.
        primary_key = tuple(each for each in primary[0]["columns"] if each in columns) if primary else ()
        if asking := UNIQUE.get(self.vendor):
            indexes = groupby(self.ask(asking, bare if self.vendor == "sqlite" else self.quoted), key=itemgetter(0))
            unique = {tuple(column for _, column in each) for _, each in indexes}
        else:
            readable = [*columns, None]
            unique = {
                tuple(column for column in each["columns"] if column in readable)
                for each in constraints.values()
                if each["unique"]
            }
        # None stands for an expression. Of a text or blob of MySQL, only the beginning can be unique.
        unbound = {name for name, each in columns.items() if each.field in ("TextField", "BinaryField")}
        unusable = {None, *(unbound if self.vendor == "mysql" else ())}
        unique = {each for each in unique if each and not unusable & {*each}} - {primary_key}
        return Table(self.name, columns, primary_key, unique, self.relations(constraints))

    def relations(self, constraints: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
        if self.vendor == "postgresql":
            return {column: (table, key) for column, key, table in self.ask(RELATIONS, self.quoted)}
        if self.vendor == "mysql":
            # information_schema hides them from users that may only SELECT.
            ((_, text),) = self.ask(f"SHOW CREATE TABLE {self.quoted}")
            return {column: (table, key) for column, table, key in FOREIGN_KEY.findall(text)}
        return {each["columns"][0]: each["foreign_key"] for each in constraints.values() if each["foreign_key"]}
