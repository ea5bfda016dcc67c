"""What a database holds, in few words: for each table the number of its rows, and the sum of their checksums.

Two databases hold the same rows if these are equal, in whatever order the rows are stored. The sum is of the rows' MD5,
which finds damage; it is no protection against forged rows.
"""

from __future__ import annotations

from typing import Any

from databases.tenants.managed.maintenance import maintenance_connection
from databases.tenants.states import TenantError

#: By table: the number of its rows and the sum of their checksums.
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


class DifferenceError(TenantError):
    """A copy does not hold what its source held."""


def checksums(alias: str, config: dict[str, Any]) -> Content:
    """Return what the database of these settings holds. Raises Django's database errors."""
    content = {}
    with maintenance_connection(alias, config) as connection, connection.cursor() as cursor:
        for statement in PLAIN_TEXT:
            cursor.execute(statement)
        cursor.execute(TABLES)
        quote = connection.ops.quote_name
        for kind, schema, name in cursor.fetchall():
            table = f"{quote(schema)}.{quote(name)}"
            cursor.execute(f"SELECT last_value, is_called FROM {table}" if kind == "S" else ROWS.format(table))
            content[f"{schema}.{name}"] = " ".join(map(str, cursor.fetchone()))
    return content


def refuse_difference(expected: Content, found: Content, what: str) -> None:
    """Raise `DifferenceError`, which names the tables, if the two differ. Argument `what`: the copy, in words."""
    if expected == found:
        return
    tables = sorted(table for table in expected.keys() | found.keys() if expected.get(table) != found.get(table))
    raise DifferenceError(
        f"{what} does not hold what its source held: it differs in {', '.join(tables)}. Nothing was switched or "
        "dropped: look for another process that writes there, and try again."
    )
