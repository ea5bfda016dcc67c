"""Which barrier refuses which write to the mirror, as measured: `refusals.json`, and a table in the README."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "refusals.json"
#: In the order in which they see a statement.
BARRIERS = ("router", "guard", "session", "role")
PLACE = re.compile(r"(?<=<!-- refusals -->\n).*?(?=<!-- /refusals -->)", re.DOTALL)

#: By engine and way of writing, the barriers that refuse it when each is the only one.
Measured = Mapping[str, Mapping[str, list[str]]]


def read() -> dict[str, dict[str, list[str]]]:
    """Return the last measurement."""
    found: dict[str, dict[str, list[str]]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return found


def update(engine: str, stopped: dict[str, list[str]]) -> None:
    """Store the measurement of an engine."""
    FILE.write_text(json.dumps({**read(), engine: stopped}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


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


def put_into(readme: str) -> str:
    """Return a README with the table of the last measurement in its place."""
    return PLACE.sub(lambda _: f"\n{table(read())}\n", readme)
