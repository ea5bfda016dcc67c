"""Keeps every session on the mirror from writing: `.using()`, raw cursors and other writes that routers never see.

The session is read-only, and only statements that begin like ones that read are sent: a read-only session can be made
writable again, lock rows, and write files and large objects. Deliberate code can bypass both guards, for example with
SQL inside of a string. The boundary is a database user that may only SELECT (README), which `privileges.py` verifies.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from databases.foreign.mode import is_test_database
from databases.mirror.errors import MirrorWriteError
from databases.mirror.router import MIRROR
from databases.read_only import READ_ONLY, is_refusal, make_read_only

# MySQL runs comments that begin with ! or M, and PostgreSQL's comments nest. What these leave of a comment is refused.
COMMENT = r"/\*(?![!M])(?:(?!/\*).)*?\*/"
#: What becomes a blank: values and comments. Group 1 is a quoted name, which stays. Engines end quotes and comments
#: differently, so a text must pass as standard SQL and as MySQL's.
BLANKS = (
    re.compile(rf"""'[^']*'|("[^"]*")|{COMMENT}|--[^\r\n]*|\A\s*\#[^\n]*""", re.DOTALL),
    re.compile(rf"""'(?:[^'\\]|\\.)*'|("(?:[^"\\]|\\.)*"|`[^`]*`)|{COMMENT}|--[^\n]*|\#[^\n]*""", re.DOTALL),
)
#: Statements that read, and what Django's transactions, sessions and introspection send.
READS = re.compile(
    r"|(?:select|with|values|table|show|desc|describe|analyze (?:format=\w+ )?select)\b.*"
    # In a read-only session too, PostgreSQL makes the table of EXPLAIN ANALYZE CREATE TABLE … AS, or SELECT … INTO.
    r"|explain\b(?!.*\b(?:create|into)\b).*"
    r"|begin|rollback|(?:savepoint|release savepoint|rollback to savepoint) \S+"
    r"|set (?:session )?transaction read only|set default_transaction_read_only = on|pragma query_only = on"
    r"|set (?:session )?transaction isolation level (?:read (?:un)?committed|repeatable read|serializable)"
    r"|set (?:session |local )?(?:\w+_timeout|max_\w+_time|time[ _]zone|sql_auto_is_null)\b[^,]*"
    r"|pragma (?:table|index|foreign_key)_\w+\(.*\)"
)
#: What a read-only session allows, in a statement that begins like one that reads.
BESIDE = re.compile(
    r"\bset_config\b|u&\"|/\*|\bfor (?:no key |key )?(?:update|share)\b|\bin share mode\b|\binto (?:out|dump)file\b"
    r"|\blo_?(?:creat|create|from_bytea|put|write|unlink|import|export|truncate|truncate64)\b"
)
#: What a refusal shows: at most three bare words, which are no values. They stand behind whole comments.
FIRST_WORDS = re.compile(
    rf"(?:[\s(]|{COMMENT}|--[^\n]*\n)*([a-z_][\w.]*\s*(?:[a-z_][\w.]*\s*)?(?:[a-z_][\w.]*\s*)?)", re.I | re.DOTALL
)


# Cached: a program sends the same statements repeatedly, and a decision takes as long as a short query.
@functools.lru_cache(maxsize=1000)
def only_reads(sql: str) -> bool:
    """Return whether every statement in a text begins like one that reads, and contains nothing of `BESIDE`."""
    blanked = (blanks.sub(lambda found: found[1] or " ", sql) for blanks in BLANKS)
    texts = (" ".join(text.lower().split()) for text in blanked)
    return all(
        not BESIDE.search(text) and all(READS.fullmatch(each.strip(" (")) for each in text.split(";")) for text in texts
    )


def install() -> None:
    """Guard every new connection to the mirror, in any thread."""
    # A signal, because an execute wrapper belongs to one connection object, which belongs to one thread.
    connection_created.connect(_guard, dispatch_uid="databases.mirror.session")


def _guard(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.alias != MIRROR or is_test_database(MIRROR):
        return
    if connection.vendor not in READ_ONLY:
        raise ImproperlyConfigured(
            f"The mirror cannot be made read-only: add a statement for {connection.vendor} to READ_ONLY in "
            "databases/read_only.py."
        )
    if _refuse_writes not in connection.execute_wrappers:
        connection.execute_wrappers.append(_refuse_writes)
    make_read_only(connection)


def _refuse_writes(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    # psycopg has SQL objects, and `str()` of one is not its SQL.
    text = sql.as_string(context["connection"].connection) if hasattr(sql, "as_string") else str(sql)
    reason, cause = "it accepts only statements that read", None
    if only_reads(text):
        try:
            return execute(sql, params, many, context)
        except DatabaseError as error:
            if not is_refusal(error.__cause__):
                raise
            reason, cause = "its session is read-only", error
    found = FIRST_WORDS.match(text)
    words = " ".join(found[1].split()) if found else "SQL"
    cure = "That database belongs to another application: write it there."
    raise MirrorWriteError(f"Refused on {MIRROR!r}, because {reason}: {words} … {cure}") from cause
