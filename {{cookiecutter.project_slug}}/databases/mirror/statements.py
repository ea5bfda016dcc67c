"""Which SQL is sent to the mirror at all: statements that read, judged by their text.

This stops what a read-only session lets through: statements that make the session writable again, locks on rows of the
other application, files written on its server. A text can be made to deceive it; what such a text then does is refused
by the session, or by a database user that may only SELECT.
"""

from __future__ import annotations

import functools
import re

FLAGS = re.VERBOSE | re.IGNORECASE | re.DOTALL
#: Space, brackets and comments; a comment that begins with ! or M is run by MySQL.
LEAD = r"(?: \s | \( | --[^\n]*(?:\n|\Z) | /\*(?![!M])(?:(?!/\*|\*/).)*\*/ )*"
#: How statements begin that read, or arrange reads as Django's transactions and introspection do.
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
#: What a statement may do although it begins as one that reads.
BESIDE_READING = re.compile(
    r"\bFOR\s+(?:NO\s+KEY\s+|KEY\s+)?(?:UPDATE|SHARE)\b|\bLOCK\s+IN\s+SHARE\s+MODE\b"
    r"|\bINTO\s+(?:OUTFILE|DUMPFILE)\b|\bset_config\b",
    re.IGNORECASE,
)


# Remembered, because a program sends the same texts again and again, and looking at one costs as much as a short query.
@functools.lru_cache(maxsize=1000)
def only_reads(sql: str) -> bool:
    """Return whether every statement of a text is one that reads.

    A semicolon counts as the end of a statement wherever it stands, and what follows one in a quoted value is then
    refused: values belong into parameters.
    """
    return not BESIDE_READING.search(sql) and all(map(READING.match, sql.split(";")))


def summary(sql: str) -> str:
    """Return the first words of a text, up to the first bracket or quote: the rest may hold values."""
    found = FIRST_WORDS.match(sql)
    return (" ".join(found[1].split()) if found else "") or "SQL"
