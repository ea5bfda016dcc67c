"""Rows for the test databases of external roles: one fixture per role, loaded by the one migration of this app."""

from __future__ import annotations

import json
from pathlib import Path

FIXTURES = Path(__file__).resolve().parent / "fixtures"


def roles() -> frozenset[str]:
    """Return the roles that have a fixture: the file is named after its role."""
    return frozenset(path.stem for path in FIXTURES.glob("*.json"))


def seeded_apps(role: str) -> list[str]:
    """Return the labels of the apps whose rows are in the fixture of a role, in its order."""
    records = json.loads((FIXTURES / f"{role}.json").read_text(encoding="utf-8"))
    return list(dict.fromkeys(record["model"].partition(".")[0] for record in records))
