"""Follows a guide: runs the commands that it shows, and makes the changes that it shows as a diff."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.support import documents


def section(markdown: str, heading: str) -> str:
    """Return the text from a heading to the next heading of any level. Raises ValueError if there is none."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", markdown, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"The guide has no heading {heading!r}.")
    return found[2]


def follow(text: str, project: Path, run: Callable[[str], object]) -> None:
    """Do what a text shows, in its order: `run` gets its commands (blocks in `sh`); diffs change the project."""
    for _, language, block in documents.parts(text):
        if language == "sh":
            run(block)
        elif language == "diff":
            apply(block, project)


def apply(diff: str, project: Path) -> None:
    """Change the files of a project. A file that is missing begins empty.

    The diff has a line `--- file` before each file, and `@@` between changes. Lines that it only shows or removes must
    occur once, together, in their order. Raises ValueError otherwise.
    """
    for name, changes in zip(*[iter(re.split(r"^--- (.+)\n", diff, flags=re.MULTILINE)[1:])] * 2, strict=True):
        path = project / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for change in re.split(r"^@@\n", changes, flags=re.MULTILINE):
            lines = change.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] != "+")
            after = "".join(line[1:] for line in lines if line[0] != "-")
            if before and text.count(before) != 1:
                raise ValueError(f"{name} does not contain once:\n{before}")
            text = text.replace(before, after) if before else text + after
        path.write_text(text, encoding="utf-8")


def added(text: str) -> list[str]:
    """Return the lines that the diffs of a text add."""
    return [line for block in documents.blocks(text, "diff") for line in block.splitlines() if line.startswith("+")]
