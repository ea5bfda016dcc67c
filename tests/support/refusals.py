"""What stops writes to the mirror, as measured: kept in `refusals.json`, shown as a table in the README."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "refusals.json"
#: In the order in which a statement meets them.
BARRIERS = ("router", "guard", "session", "role")
PLACE = re.compile(r"(?<=<!-- refusals -->\n).*?(?=<!-- /refusals -->)", re.DOTALL)

#: For each engine and each way of writing, the barriers that stop it when they stand alone.
Measured = Mapping[str, Mapping[str, list[str]]]


def read() -> dict[str, dict[str, list[str]]]:
    """Return what was measured last."""
    found: dict[str, dict[str, list[str]]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return found


def update(engine: str, stopped: dict[str, list[str]]) -> None:
    """Note what was measured on an engine."""
    FILE.write_text(json.dumps({**read(), engine: stopped}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def table(measured: Measured) -> str:
    """Return the measured as a table in Markdown; an engine that lacks a way of writing has an empty cell there."""
    names = dict.fromkeys(name for column in measured.values() for name in column)
    lines = [f"| way of writing | {' | '.join(measured)} |", f"|---{'|---' * len(measured)}|"]
    for name in names:
        cells = (f" {_cell(column[name])} " if name in column else " " for column in measured.values())
        lines.append(f"| {name} |{'|'.join(cells)}|")
    return "\n".join(lines) + "\n"


def _cell(barriers: list[str]) -> str:
    return ", ".join(barriers) or "**nothing**"


def put_into(readme: str) -> str:
    """Return a README with the table of what was measured in its place."""
    return PLACE.sub(lambda _: f"\n{table(read())}\n", readme)
