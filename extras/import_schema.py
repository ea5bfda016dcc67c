"""Copies the rows of one schema of a django-tenants database into a tenant's database: see docs/how-to/joining.md.

Copy this file to `management/commands/` of an app of the project. Delete it when all tenants have moved.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

from django.core.management.base import CommandParser
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from psycopg import Cursor, IsolationLevel, sql

from databases.environment import from_url
from databases.tenants import use_tenant
from databases.tenants.commands import TenantCommand
from databases.tenants.states import TenantError

VARIABLE = "SOURCE_DATABASE_URL"
#: Each side has its own rows here.
OWN_TABLES = {"django_migrations", "tenant_identity"}
#: For which either side waits for a lock.
LOCK_SECONDS = 10
#: The text of values must be the same on both sides, whatever a user or a database prefers. PostgreSQL manual, 20.11.2.
PLAIN_TEXT = """
SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC';
SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL xmlbinary = 'base64';
SET LOCAL client_encoding = 'UTF8';
"""
#: An error instead of an answer without the rows that a policy hides. One side is idle while the other one works.
SESSION = f"""
SET LOCAL row_security = off; SET LOCAL lock_timeout = '{LOCK_SECONDS}s'; SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0
"""
#: Generated columns are left out: the server computes them. So are tables of extensions.
COLUMNS = """
SELECT c.relname, a.attname, pg_get_serial_sequence(format('%%I.%%I', n.nspname, c.relname), a.attname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE n.nspname = %s AND c.relkind = 'r' AND NOT EXISTS
(SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname, a.attname
"""
#: The number of rows, and the sum of their MD5: equal in whatever order the rows are stored.
CONTENT = """
SELECT count(*), coalesce(sum(('x' || left(md5(convert_to(textin(record_out(t.*)), 'UTF8')), 15))::bit(60)::bigint), 0)
FROM (SELECT {columns} FROM ONLY {table}) t
"""
#: By table: its columns, and their sequences.
Tables = dict[str, dict[str, str | None]]


class Command(TenantCommand):
    """`manage.py import_schema acme --schema acme`."""

    help = (
        f"Copy the rows of one schema of the PostgreSQL database in {VARIABLE} into the empty database of a tenant. "
        "All rows are copied and compared in one transaction, or none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the schema, and tables to leave out."""
        super().add_arguments(parser)
        parser.add_argument("--schema", required=True, help="the schema in that database")
        parser.add_argument("--without", nargs="+", default=[], metavar="TABLE", help="tables that are not copied")

    def run(self, slug: str, *, schema: str, without: list[str], **options: Any) -> str:
        """Copy, compare, and return what to write about the tenant. Raises what `handle` turns into one line."""
        if not os.environ.get(VARIABLE):
            raise TenantError(f"Set {VARIABLE} to the URL of the database that has the schema.")
        entry = from_url(os.environ[VARIABLE], VARIABLE)
        source = ConnectionHandler({"default": entry})["default"]
        with use_tenant(slug) as tenant, closing(source):
            target = connections[tenant.alias]
            refuse_other_engine(source, f"The database in {VARIABLE}")
            refuse_other_engine(target, f"The database of {slug!r}")
            with source.wrap_database_errors, target.wrap_database_errors, transaction.atomic(using=tenant.alias):
                source.ensure_connection()
                # One snapshot for all tables, in which nothing can be written.
                source.connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
                source.connection.set_read_only(True)
                source.set_autocommit(False)
                with source.connection.cursor() as reader, target.connection.cursor() as writer:
                    rows = Import(reader, writer, schema).copy(without)
        return f"{sum(rows.values())} rows in {len(rows)} tables copied from the schema {schema!r}"


class Import:
    """One copy. Arguments: a cursor of each side, in a transaction, and the name of the schema."""

    def __init__(self, reader: Cursor[Any], writer: Cursor[Any], schema: str) -> None:
        self.reader, self.writer, self.schema = reader, writer, schema

    def copy(self, without: list[str]) -> dict[str, int]:
        """Copy all tables but these, and return the number of rows by table. Raises `TenantError`."""
        for cursor in (self.reader, self.writer):
            cursor.execute(PLAIN_TEXT + SESSION)
        self.own_schema = fetch(self.writer, "SELECT current_schema()")[0]
        theirs, ours = tables_of(self.reader, self.schema), tables_of(self.writer, self.own_schema)
        if not theirs:
            raise TenantError(
                f"The database in {VARIABLE} has no schema {self.schema!r} with tables that its user sees."
            )
        if unknown := set(without) - theirs.keys() - ours.keys():
            raise TenantError(f"--without names tables that neither side has: {', '.join(sorted(unknown))}.")
        theirs, ours = ({name: each[name] for name in each.keys() - set(without)} for each in (theirs, ours))
        refuse_differences(theirs, ours, self.schema)
        self.refuse_rows(sorted(ours))
        # Django's foreign keys can wait until all tables are filled.
        self.writer.execute("SET CONSTRAINTS ALL DEFERRED")
        rows = {table: self.copy_table(table, theirs[table], ours[table]) for table in sorted(ours)}
        self.writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return rows

    def refuse_rows(self, tables: list[str]) -> None:
        """Raise `TenantError` if the tenant has rows. From now on no other session can write any."""
        for table in tables:
            self.writer.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(self.ours(table)))
        exists = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {})")
        if filled := [table for table in tables if fetch(self.writer, exists.format(self.ours(table)))[0]]:
            raise TenantError(
                f"It has rows already, in {', '.join(filled)}, and nothing was copied. If these rows are not needed, "
                "empty its tables: manage.py tenant_command SLUG flush"
            )

    def copy_table(self, table: str, theirs: dict[str, str | None], ours: dict[str, str | None]) -> int:
        """Copy the rows and the sequences of a table, compare both sides, and return the number of rows."""
        columns = sql.SQL(", ").join(map(sql.Identifier, ours))
        source, target = sql.Identifier(self.schema, table), self.ours(table)
        with (
            self.reader.copy(sql.SQL("COPY {} ({}) TO STDOUT").format(source, columns)) as rows,
            self.writer.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(target, columns)) as copied,
        ):
            for block in rows:
                copied.write(block)
        content = sql.SQL(CONTENT)
        expected = fetch(self.reader, content.format(columns=columns, table=source))
        found = fetch(self.writer, content.format(columns=columns, table=target))
        if expected != found:
            raise TenantError(
                f"The table {table} is not equal on both sides ({expected[0]} and {found[0]} rows), and nothing was "
                "copied: its columns have other types, or a trigger changes its rows."
            )
        for column, sequence in ours.items():
            if sequence:
                self.set_sequence(sequence, table, column, theirs[column])
        return int(found[0])

    def set_sequence(self, sequence: str, table: str, column: str, theirs: str | None) -> None:
        """Let a sequence continue after the last key that the source has given, even to a row that is deleted."""
        largest = sql.SQL("SELECT max({}) FROM ONLY {}").format(sql.Identifier(column), self.ours(table))
        last = [fetch(self.writer, largest)[0]]
        if theirs:
            # pg_sequence_last_value() would not know what a RESTART has skipped.
            last += fetch(self.reader, f"SELECT last_value - (NOT is_called)::int FROM {theirs}")  # noqa: S608
        if any(last):
            self.writer.execute("SELECT setval(%s::regclass, %s)", [sequence, max(filter(None, last))])

    def ours(self, table: str) -> sql.Identifier:
        """Return the quoted name of a table of the tenant."""
        return sql.Identifier(self.own_schema, table)


def refuse_other_engine(connection: BaseDatabaseWrapper, what: str) -> None:
    """Raise `TenantError` unless a connection is to PostgreSQL. Argument `what`: the database, in words."""
    if connection.vendor != "postgresql":
        raise TenantError(f"{what} is on {connection.vendor}, and this command copies from PostgreSQL to PostgreSQL.")


def refuse_differences(theirs: Tables, ours: Tables, schema: str) -> None:
    """Raise `TenantError`, which names the tables and columns that one side lacks."""
    there, here = f"The schema {schema!r}", "The tenant's database"
    lacking = []
    for side, found, other in ((there, theirs, ours), (here, ours, theirs)):
        names = [
            f"{table}.{column}"
            for table in found.keys() & other.keys()
            for column in other[table].keys() - found[table].keys()
        ]
        if names := sorted([*(other.keys() - found.keys()), *names]):
            lacking.append(f"{side} lacks {', '.join(names)}.")
    if lacking:
        raise TenantError(
            f"{' '.join(lacking)} Bring both to the same migrations, put the app of a table into the tenants' "
            "databases (APP_DATABASES), or leave a table out by --without."
        )


def tables_of(cursor: Cursor[Any], schema: str) -> Tables:
    """Return the tables of a schema."""
    found: Tables = {}
    for table, column, sequence in cursor.execute(COLUMNS, [schema]).fetchall():
        if table not in OWN_TABLES:
            found.setdefault(table, {})[column] = sequence
    return found


def fetch(cursor: Cursor[Any], statement: Any, *parameters: str) -> list[Any]:
    """Return the values of the row that a statement yields."""
    row: Any = cursor.execute(statement, parameters or None).fetchone()
    return list(row)
