"""Names of test databases on a server, which may serve several projects: short, and unique per project and alias."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable
from typing import Any

#: When this process imported its settings, which it does before its apps.
STARTED = time.time()
#: PostgreSQL truncates names to 63 bytes, which would remove what follows an alias: worker, tag and number of a clone.
LONGEST_ALIAS = 24
#: The name of a test database: the beginning of all names of its project, an alias or a role, a tag, and the number of
#: a clone. The tag says what needs the database: `t` and the digest for a template, `r` and the id of a run.
TAGGED = re.compile(r"(test_[0-9a-f]{8}_).+_([rt][0-9a-f]{8,10})(?:_\d+)?")


def test_database_name(alias: str, primary: dict[str, Any], database: dict[str, Any]) -> str | None:
    """Return the `TEST["NAME"]` for an alias. For SQLite that is `None`, which means a database in memory.

    Arguments: the alias, the entry of the primary (its name tells the projects on one server apart), and the alias's
    own entry. `databases.testing.templates` appends a tag to the name.
    """
    if database["ENGINE"].endswith("sqlite3"):
        return None
    if len(alias) > LONGEST_ALIAS:
        alias = f"{alias[: LONGEST_ALIAS - 9]}_{_digest(alias)}"
    return f"test_{_digest(str(primary['NAME']))}_{alias}"


def by_tag(names: Iterable[str], project: str) -> dict[str, list[str]]:
    """Return the test databases of a project among these names, by tag. `project`: the beginning of their names."""
    found: dict[str, list[str]] = {}
    for name in names:
        match = TAGGED.fullmatch(name)
        if match and match[1] == project:
            found.setdefault(match[2], []).append(name)
    return found


def lock_key(project: str, tag: str) -> int:
    """Return the number of the advisory lock for a tag."""
    return int.from_bytes(hashlib.blake2b(f"{project}{tag}".encode(), digest_size=8).digest(), "big", signed=True)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
