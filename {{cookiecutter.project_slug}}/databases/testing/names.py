"""Names of test databases on a server: short, one per project and alias, new when migrations or fixtures change."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent.parent


def test_database_name(alias: str, primary: dict[str, Any], database: dict[str, Any]) -> str | None:
    """Return the `TEST["NAME"]` for an alias, or `None`, which means memory, for SQLite.

    Arguments: the alias, the settings of the primary, whose name tells projects on one server apart, and its own.

    The name carries a digest of every migration and fixture: a database built from others is not taken up again with
    `--keepdb` or `--reuse-db`. (Old ones stay on the server until you drop them.) It is short because PostgreSQL cuts
    names off at 63 bytes, and so would drop the suffixes that keep parallel workers apart.
    """
    if database["ENGINE"].endswith("sqlite3"):
        return None
    digest = hashlib.blake2b(str(primary["NAME"]).encode(), digest_size=4)
    for path in sorted([*PROJECT.glob("*/migrations/*.py"), *PROJECT.glob("*/fixtures/*.json")]):
        digest.update(path.name.encode() + path.read_bytes())
    return f"test_{digest.hexdigest()}_{alias}"
