"""What a database holds, in few words: its objects, and the number of rows and sum of their checksums of each table.

Two databases hold the same if these are equal, in whatever order the rows are stored. The sum is of the rows' MD5,
which finds damage; it is no protection against forged rows.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from databases.fleet import dumps
from databases.tenants.maintenance import deadline, maintenance_connection
from databases.tenants.states import TenantError

#: By table, and for all large objects: their number and the sum of their checksums. By any other object: nothing.
Content = dict[str, str]

#: The text of values must not depend on the settings of a user or a database. PostgreSQL manual, 20.11.2.
PLAIN_TEXT = (
    "SET DateStyle = 'ISO, YMD'",
    "SET IntervalStyle = 'postgres'",
    "SET TimeZone = 'UTC'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
    "SET xmlbinary = 'base64'",
    # Names of tables in values are written in full.
    "SET search_path = ''",
    # An error instead of an answer without the rows that a policy hides.
    "SET row_security = off",
)
TABLES = """
SELECT c.relkind, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND c.relpersistence <> 't'
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%' ORDER BY 2, 3
"""
#: Not `t::text`: that is a column where one is called t, and a tenant's user may define a cast, which would run here.
ROWS = """
SELECT count(*), coalesce(sum(('x' || left(md5(textin(record_out(t.*))), 15))::bit(60)::bigint), 0) FROM ONLY {} t
"""
COUNTS = "SELECT count(*) FROM ONLY {}"
LARGE_OBJECTS = """
SELECT count(*), coalesce(sum(('x' || left(md5(lo_get(oid)), 15))::bit(60)::bigint), 0) FROM pg_largeobject_metadata
"""


class DifferenceError(TenantError):
    """A copy does not hold what its source held."""


def identifier(schema: str, name: str) -> str:
    """Return the quoted name of a table or sequence that a tenant may have named."""
    # Not Django's quote_name(), which keeps quotes that are part of the name: the rest would be SQL.
    return sql.Identifier(schema, name).as_string()


def contents(alias: str, config: dict[str, Any], rows: str = ROWS) -> Content:
    """Return what the database of these settings holds. Raises `DumpError` and Django's database errors.

    Argument `rows`: what is asked of each table; `COUNTS` is faster, and sees no changed values.
    """
    content = dict.fromkeys(dumps.objects(config), "")
    with (
        maintenance_connection(alias, config) as connection,
        deadline(connection, "work"),
        connection.cursor() as cursor,
    ):
        for statement in PLAIN_TEXT:
            cursor.execute(statement)
        cursor.execute(TABLES)
        for kind, schema, name in cursor.fetchall():
            table = identifier(schema, name)
            cursor.execute(f"SELECT last_value, is_called FROM {table}" if kind == "S" else rows.format(table))
            content[f"{schema}.{name}"] = " ".join(map(str, cursor.fetchone()))
        cursor.execute(LARGE_OBJECTS)
        content["large objects"] = " ".join(map(str, cursor.fetchone()))
    return content


def refuse_difference(expected: Content, found: Content, what: str) -> None:
    """Raise `DifferenceError`, which names what differs, if the two do. Argument `what`: the copy, in words."""
    if expected == found:
        return
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    raise DifferenceError(
        f"{what} does not hold what its source held: it differs in {', '.join(names)}. Nothing was switched or "
        "closed. See what wrote to it, and run this again."
    )
