"""Decides by its text whether SQL is sent to the mirror: only statements that read are.

This stops statements that a read-only session would run: they make the session writable again, lock rows of the other
application, or write files on its server. A crafted text can deceive this function. The session, or a database user
that may only SELECT, then refuses the write.
"""

from __future__ import annotations

import functools
import re

FLAGS = re.VERBOSE | re.IGNORECASE | re.DOTALL
#: Spaces, brackets and comments. MySQL runs comments that begin with ! or M.
LEAD = r"(?: \s | \( | --[^\n]*(?:\n|\Z) | /\*(?![!M])(?:(?!/\*|\*/).)*\*/ )*"
#: Beginnings of statements that read, and of those that Django's transactions and introspection send.
READING = re.compile(
    LEAD
    + r"""
    (?: \Z
      | (?: SELECT | WITH | VALUES | TABLE | EXPLAIN | SHOW | DESCRIBE | DESC | SAVEPOINT | RELEASE | ROLLBACK )\b
      | BEGIN\s*\Z
      | SET\s+(?: SESSION\s+ | LOCAL\s+ )?
        (?: TRANSACTION\s+READ\s+ONLY\s*\Z
          | DEFAULT_TRANSACTION_READ_ONLY\s*=\s*ON\s*\Z
          | TRANSACTION\s+ISOLATION\s+LEVEL\s+(?: READ\s+(?:UN)?COMMITTED | REPEATABLE\s+READ | SERIALIZABLE )\s*\Z
          | (?: \w+_TIMEOUT | MAX_STATEMENT_TIME | MAX_EXECUTION_TIME | TIME\s?ZONE | SQL_AUTO_IS_NULL )\b[^,]*\Z
        )
      | PRAGMA\s+(?: QUERY_ONLY\s*=\s*ON | (?:TABLE|INDEX|FOREIGN_KEY)_\w+\s*\(.*\) | \w+ )\s*\Z
    )
    """,
    FLAGS,
)
FIRST_WORDS = re.compile(LEAD + r"""( (?: [\w."`]+ \s* ){0,3} )""", FLAGS)
#: Parts that write or lock, in a statement that begins like one that reads.
SIDE_EFFECTS = re.compile(
    r"\bFOR\s+(?:NO\s+KEY\s+|KEY\s+)?(?:UPDATE|SHARE)\b|\bLOCK\s+IN\s+SHARE\s+MODE\b"
    r"|\bINTO\s+(?:OUTFILE|DUMPFILE)\b|\bset_config\b",
    re.IGNORECASE,
)


# Cached: a program sends the same statements repeatedly, and matching one takes as long as a short query.
@functools.lru_cache(maxsize=1000)
def only_reads(sql: str) -> bool:
    """Return whether every statement in a text reads.

    Each semicolon ends a statement, even one inside a quoted value. Such a value may be refused: pass values as
    parameters.
    """
    return not SIDE_EFFECTS.search(sql) and all(map(READING.match, sql.split(";")))


def summary(sql: str) -> str:
    """Return the first words of a statement, up to the first bracket or quote: the rest may contain values."""
    found = FIRST_WORDS.match(sql)
    return (" ".join(found[1].split()) if found else "") or "SQL"
