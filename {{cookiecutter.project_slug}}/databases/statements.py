"""What a statement does, by its words, for code that watches the writes of a connection. Functions may write unseen."""

from __future__ import annotations

import functools
import re
from typing import Any

# MySQL runs comments that begin with ! or M!.
COMMENT = r"/\*(?!M?!).*?\*/"
#: What holds no words of SQL: values, quoted names and comments, in standard SQL and in MySQL's. Engines end quotes and
#: comments differently, and a write in either reading is one.
BLANKS = (
    re.compile(rf"""'[^']*'|"[^"]*"|`[^`]*`|\$(\w*)\$.*?\$\1\$|--[^\n]*|{COMMENT}""", re.DOTALL),
    re.compile(
        rf"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|\$(\w*)\$.*?\$\1\$|--(?=\s)[^\n]*|\#[^\n]*|{COMMENT}""",
        re.DOTALL,
    ),
)
#: Changes of rows; EXECUTE may run one. MySQL has functions of some of these names.
CHANGE = r"\b(?:INSERT|UPDATE|DELETE|MERGE|REPLACE|TRUNCATE|EXECUTE)\b(?!\s*\()"
#: Where a statement begins: one of several, in parentheses, or inside another one. `SELECT … INTO` makes a table.
CHANGES = re.compile(
    rf"(?:\A|[;(]|\bANALY[ZS]E\b[^;]*?|\bWITH\b[^;]*?\)|/\*M?!\d*)[\s(]*{CHANGE}|\bINTO\b(?!\s*@)", re.IGNORECASE
)
#: Statements that change nothing unless they hold such a word. Any other one may, such as CALL and CREATE, also
#: behind EXPLAIN ANALYZE.
READS = re.compile(
    r"[\s(;]*(?:SELECT|VALUES|TABLE|WITH|EXPLAIN(?!\b.*\bCREATE\b)|DESCRIBE|DESC|SHOW|SET|RESET|PRAGMA|DECLARE|FETCH|MOVE|CLOSE|BEGIN"
    r"|START|SAVEPOINT|RELEASE|ROLLBACK|COMMIT|\Z)\b.*|[\s(;]*",
    re.IGNORECASE | re.DOTALL,
)


def text_of(sql: Any) -> str:
    """Return the text of a statement. psycopg has SQL objects, and `str()` of one is not its SQL."""
    if hasattr(sql, "as_string"):
        return str(sql.as_string(None))
    return sql.decode(errors="replace") if isinstance(sql, bytes) else str(sql)


# Cached: a program sends the same statements repeatedly. Few, because a text may be long.
@functools.lru_cache(maxsize=200)
def changes_rows(sql: str) -> bool:
    """Return whether a text of one or several statements inserts, updates or deletes rows."""
    return any(CHANGES.search(text) for text in _readings(sql))


@functools.lru_cache(maxsize=200)
def only_reads(sql: str) -> bool:
    """Return whether every statement of a text only reads, or steers its session or transaction."""
    return all(
        not CHANGES.search(text) and all(READS.fullmatch(each) for each in text.split(";")) for text in _readings(sql)
    )


def _readings(sql: str) -> list[str]:
    return [blanks.sub(" ", sql) for blanks in BLANKS]
