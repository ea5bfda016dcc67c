"""What is in a database, in few words: for each table how many rows it has, and a sum of their checksums.

Two databases of one engine hold the same rows where these are the same, in whatever order the rows lie. The sum is of
the rows' MD5, which tells damage from none; it is no protection from somebody who forges rows.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from typing import Any

from .states import TenantError
from .upkeep import connected

#: By table: the number of its rows and the sum of their checksums.
Content = dict[str, str]

#: How values are written must not depend on the settings of a user or a database. PostgreSQL manual, 20.11.2.
PLAIN_TEXT = (
    "SET DateStyle = 'ISO, YMD'",
    "SET IntervalStyle = 'postgres'",
    "SET TimeZone = 'UTC'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
    "SET xmlbinary = 'base64'",
    # The same names of tables wherever they are found.
    "SET search_path = ''",
)
POSTGRES_TABLES = """
SELECT c.relkind, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND c.relpersistence <> 't'
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%' ORDER BY 2, 3
"""
POSTGRES_ROWS = "SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0) FROM ONLY {} t"
MYSQL_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE'"
MYSQL_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


class DifferenceError(TenantError):
    """A copy does not hold what it was made from."""


def fingerprint(alias: str, config: dict[str, Any]) -> Content:
    """Return what is in the database of these settings. Raises Django's or SQLite's database errors."""
    if config["ENGINE"].endswith("sqlite3"):
        return _sqlite(config["NAME"])
    with connected(alias, config) as connection, connection.cursor() as cursor:
        return _mysql(cursor, config["NAME"]) if connection.vendor == "mysql" else _postgres(cursor)


def refuse_difference(expected: Content, found: Content, what: str) -> None:
    """Raise `DifferenceError`, naming tables, where the two are not the same. Argument `what`: the copy, in words."""
    if expected == found:
        return
    tables = sorted(table for table in expected.keys() | found.keys() if expected.get(table) != found.get(table))
    raise DifferenceError(
        f"{what} does not hold what it was made from: it differs in {', '.join(tables)}. Nothing was switched or "
        "dropped: try again, and look for who else writes there."
    )


def _postgres(cursor: Any) -> Content:
    for statement in PLAIN_TEXT:
        cursor.execute(statement)
    cursor.execute(POSTGRES_TABLES)
    content = {}
    for kind, schema, name in cursor.fetchall():
        quoted = f"{cursor.db.ops.quote_name(schema)}.{cursor.db.ops.quote_name(name)}"
        cursor.execute(f"SELECT last_value, is_called FROM {quoted}" if kind == "S" else POSTGRES_ROWS.format(quoted))
        content[f"{schema}.{name}"] = _words(cursor.fetchone())
    return content


def _mysql(cursor: Any, database: str) -> Content:
    quote = cursor.db.ops.quote_name
    cursor.execute(MYSQL_TABLES, [database])
    content = {}
    for (table,) in cursor.fetchall():
        cursor.execute(f"{MYSQL_COLUMNS} ORDER BY ordinal_position", [database, table])
        # Each column by itself, so that no two rows read the same; NULL is a word that no MD5 is.
        columns = ", ".join(f"IFNULL(MD5({quote(name)}), 'null')" for (name,) in cursor.fetchall())
        cursor.execute(
            f"SELECT COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(MD5(CONCAT({columns})), 15), 16, 10) AS DECIMAL(20))), 0) "
            f"FROM {quote(table)}"
        )
        content[table] = _words(cursor.fetchone())
    return content


def _sqlite(path: str) -> Content:
    content = {}
    # Not through Django, which would convert what it finds.
    with closing(sqlite3.connect(path)) as database:
        database.text_factory = bytes
        for (name,) in database.execute(SQLITE_TABLES).fetchall():
            table = name.decode()
            quoted = '"{}"'.format(table.replace('"', '""'))
            rows = total = 0
            for row in database.execute(f"SELECT * FROM {quoted}"):
                digest = hashlib.md5(repr(row).encode(), usedforsecurity=False).digest()
                rows, total = rows + 1, total + int.from_bytes(digest[:8], "big")
            content[table] = _words((rows, total))
    return content


def _words(row: Any) -> str:
    return " ".join(str(value) for value in row)
