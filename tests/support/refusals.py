"""Which barrier refuses which write to the mirror, as measured: `refusals.json`, and two tables in the guide."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "refusals.json"
#: In the order in which they see a statement.
BARRIERS = ("router", "guard", "session", "role")
PLACE = re.compile(r"(?<=<!-- refusals -->\n).*?(?=<!-- /refusals -->)", re.DOTALL)

#: By engine and way of writing, the barriers that refuse it when each is the only one.
Measured = Mapping[str, Mapping[str, list[str]]]


#: By engine, how many rights beside reading `check --deploy --database mirror` reports of the README's user (None on an
#: engine without users) and of the owner.
Verified = Mapping[str, tuple[int | None, int]]


def read() -> dict[str, dict[str, list[str]]]:
    """Return the last measurement of the barriers."""
    found: dict[str, dict[str, list[str]]] = _stored()["barriers"]
    return found


def read_verified() -> dict[str, tuple[int | None, int]]:
    """Return the last measurement of the check."""
    return {engine: (reader, owner) for engine, (reader, owner) in _stored()["rights reported"].items()}


def update(engine: str, stopped: dict[str, list[str]]) -> None:
    """Store the barriers of an engine."""
    _store("barriers", engine, stopped)


def update_verified(engine: str, reported: tuple[int | None, int]) -> None:
    """Store what the check reports on an engine."""
    _store("rights reported", engine, reported)


def _stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return {"barriers": {}, "rights reported": {}, **found}


def _store(part: str, engine: str, measured: object) -> None:
    stored = _stored()
    stored[part][engine] = measured
    FILE.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def table(measured: Measured) -> str:
    """Return a measurement as a table in Markdown. A way of writing that an engine lacks is an empty cell."""
    names = dict.fromkeys(name for column in measured.values() for name in column)
    lines = [f"| way of writing | {' | '.join(measured)} |", f"|---{'|---' * len(measured)}|"]
    for name in names:
        cells = (f" {_cell(column[name])} " if name in column else " " for column in measured.values())
        lines.append(f"| {name} |{'|'.join(cells)}|")
    return "\n".join(lines) + "\n"


def _cell(barriers: list[str]) -> str:
    return ", ".join(barriers) or "**nothing**"


def table_of_verified(measured: Verified) -> str:
    """Return what the check reports as a table in Markdown. It verifies a role if it tells the two users apart."""
    lines = ["| engine | the README's user | the owner | role verified |", "|---|---|---|---|"]
    for engine, (reader, owner) in measured.items():
        verified = "yes" if reader == 0 and owner else "**no**"
        cells = [_rights(reader), _rights(owner), verified] if reader is not None else ["no users", _rights(owner), ""]
        lines.append(f"| {' | '.join([engine, *cells])} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


def _rights(count: int | None) -> str:
    return f"{count} right{'s' * (count != 1)}" if count else "nothing"


def put_into(page: str) -> str:
    """Return a page with the tables of the last measurement in their place."""
    return PLACE.sub(lambda _: f"\n{table_of_verified(read_verified())}\n{table(read())}\n", page)
