"""Where reads go with replicas, as measured: a table in the guide."""

import re

PLACE = re.compile(r"(?<=<!-- reads -->\n).*?(?=<!-- /reads -->)", re.DOTALL)

#: Situation, where the read went, and why.
Row = tuple[str, str, str]


def table(rows: list[Row]) -> str:
    """Return the measured rows as a table in Markdown."""
    lines = ["| situation | where the read went | why |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def put_into(page: str, rows: list[Row]) -> str:
    """Return a page with the table in its place."""
    return PLACE.sub(lambda _: f"\n{table(rows)}\n", page)
