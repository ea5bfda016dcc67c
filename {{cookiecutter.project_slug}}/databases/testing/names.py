"""Names of test databases on a server: short, unique per project and alias, new when migrations or fixtures change."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent.parent


def test_database_name(alias: str, primary: dict[str, Any], database: dict[str, Any]) -> str | None:
    """Return the `TEST["NAME"]` for an alias. For SQLite that is `None`, which means a database in memory.

    Arguments: the alias, the entry of the primary (its name tells the projects on one server apart), and the alias's
    own entry.

    The name contains a digest of all migrations and fixtures. So `--keepdb` and `--reuse-db` do not reuse a database
    that other migrations have built. Old databases stay on the server until you drop them. The name is short because
    PostgreSQL truncates names to 63 bytes, which would remove the suffixes of parallel workers.
    """
    if database["ENGINE"].endswith("sqlite3"):
        return None
    patterns = "*/migrations/*.py", "databases/**/migrations/*.py", "*/fixtures/*.json", "databases/**/fixtures/*.json"
    paths = {path for pattern in patterns for path in PROJECT.glob(pattern)}
    digest = hashlib.blake2b(str(primary["NAME"]).encode(), digest_size=4)
    for path in sorted(paths):
        digest.update(path.name.encode() + path.read_bytes())
    return f"test_{digest.hexdigest()}_{alias}"
