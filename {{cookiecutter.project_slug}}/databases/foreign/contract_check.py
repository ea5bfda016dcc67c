"""Checks that a database still has what another application reads from it.

    python contract_check.py contract.json postgresql://user:password@host/name

Run it in the CI of the application that owns the database, after its migrations. It needs nothing but Python and the
driver that the application has. It exits 1 if a table or column is missing, has another type, or can be NULL since; 2
if it cannot tell. What is added does not matter.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

#: By table and column, the type and whether it can be NULL.
Tables = dict[str, dict[str, dict[str, Any]]]

#: A table of the search path has its bare name, as in SQL; any other has its schema before it.
POSTGRESQL = """
    SELECT CASE WHEN pg_table_is_visible(c.oid) THEN relname ELSE format('"%s"."%s"', nspname, relname) END,
           attname, format_type(atttypid, NULL), NOT attnotnull
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f')
      AND nspname !~ '^pg_' AND nspname <> 'information_schema'
"""
MYSQL = """
    SELECT table_name, column_name, column_type, is_nullable = 'YES' FROM information_schema.columns
    WHERE table_schema = DATABASE()
"""
SQLITE = """
    SELECT m.name, c.name, c.type, NOT c."notnull" AND NOT c.pk FROM sqlite_master m, pragma_table_xinfo(m.name) c
    WHERE m.type IN ('table', 'view')
"""
QUERIES = {"postgresql": POSTGRESQL, "mysql": MYSQL, "sqlite": SQLITE}
DRIVERS = {"postgresql": ["psycopg", "psycopg2"], "mysql": ["MySQLdb", "pymysql"], "sqlite": ["sqlite3"]}


def read(cursor: Any, engine: str) -> Tables:
    """Return the tables and views of a database. Arguments: a cursor, and `postgresql`, `mysql` or `sqlite`."""
    cursor.execute(QUERIES[engine])
    found: Tables = {}
    for table, column, kind, null in cursor.fetchall():
        text = (kind.decode() if isinstance(kind, bytes) else kind).lower()
        # Lengths may grow, and versions of MySQL differ in the widths that they show for integers.
        text = text if text == "tinyint(1)" else re.sub(r"\([\d, ]+\)", "", text)
        found.setdefault(table, {})[column] = {"type": text, "null": bool(null)}
    return found


def compare(contract: Tables, found: Tables) -> list[str]:
    """Return a sentence for each table or column that is not what the contract says."""
    broken = []
    for table, columns in contract.items():
        if table not in found:
            broken.append(f"the table {table} is missing")
            continue
        for name, column in columns.items():
            now = found[table].get(name)
            if not now:
                broken.append(f"{table}.{name} is missing")
            elif now["type"] != column["type"]:
                broken.append(f"{table}.{name} was {column['type']} and is {now['type']}")
            elif now["null"] and not column["null"]:
                broken.append(f"{table}.{name} can be NULL, and could not be")
    return broken


def connect(url: str) -> Any:
    """Return a connection and its engine, for a URL such as `mysql://user:password@host:3306/name`."""
    parts = urlsplit(url)
    engine = {"postgres": "postgresql", "pgsql": "postgresql", "mariadb": "mysql"}.get(parts.scheme, parts.scheme)
    for name in DRIVERS[engine]:
        try:
            driver = import_module(name)
        except ImportError:
            continue
        if engine == "postgresql":
            return driver.connect(url.replace(parts.scheme, "postgresql", 1)), engine
        if engine == "sqlite":
            return driver.connect(f"file:{parts.path[1:]}?mode=ro", uri=True), engine
        place = {"host": parts.hostname or "localhost", "port": parts.port or 3306}
        login = {"user": unquote(parts.username or ""), "password": unquote(parts.password or "")}
        return driver.connect(**place, **login, database=parts.path[1:]), engine
    raise ImportError(f"No driver for {engine} is installed: install {' or '.join(DRIVERS[engine])}.")


def main(arguments: list[str]) -> int:
    """Print what is broken, and return the exit status."""
    if len(arguments) != 2:
        print("Usage: python contract_check.py contract.json postgresql://user:password@host/name")
        return 2
    try:
        contract = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        connection, engine = connect(arguments[1])
        found = read(connection.cursor(), engine)
    except Exception as error:  # noqa: BLE001
        # The class only: the message of a driver may contain the URL.
        print(f"The contract could not be checked ({type(error).__name__}).")
        return 2
    broken = compare(contract, found)
    for line in broken:
        print(f"Broken: {line}.")
    print(f"Tables that another application reads: {len(contract)}. Broken: {len(broken)}.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
