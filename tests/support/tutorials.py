"""Follows a tutorial: runs its commands, makes the changes that it shows, and compares what it says is printed."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from tests.support import commands, documents, guides
from tests.support.template import ROOT

FOLDER = ROOT / "docs/tutorials"
#: What a block of `console` may hold besides `make project`: tests do the same by other means.
BEGINNING = {"cd ../my_project", "make run", "source .venv/bin/activate"}


def answers(name: str) -> list[str]:
    """Return the words that a tutorial passes to `make project`. Raises ValueError for a command that no test runs."""
    lines = "".join(documents.blocks(read(name), "console")).splitlines()
    (made,) = (line for line in lines if line.startswith("make project "))
    if unknown := set(lines) - BEGINNING - {made}:
        raise ValueError(f"No test runs {sorted(unknown)} of the tutorial {name}.")
    (words,) = (word.removeprefix("ARGS=") for word in shlex.split(made) if word.startswith("ARGS="))
    return shlex.split(words)


def read(name: str) -> str:
    """Return the text of a tutorial."""
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def follow(name: str, project: Path, env: Mapping[str, str]) -> None:
    """Do in a project what a tutorial shows. Raises AssertionError if a command prints something else."""
    printed = ""
    parts = documents.parts(read(name))
    for (_, language, block), (_, next_language, told) in zip(parts, [*parts[1:], ("", "", "")], strict=True):
        if language == "diff":
            guides.apply(block, project)
        elif language == "sh":
            says_error = next_language == "text" and re.search(r"Error: .*\Z", told.strip())
            printed = commands.run(["bash", "-e", "-c", block], cwd=project, env=env, code=1 if says_error else 0)
        elif language == "text":
            assert re.search(pattern(block), printed), f"{name} says\n{block}\nand this was printed:\n{printed}"


def pattern(block: str) -> str:
    """Return a regular expression for lines in this order, others between them; `…` is any text."""
    lines = (re.escape(" ".join(line.split())).replace("…", ".*").replace(r"\ ", r"\s+") for line in block.splitlines())
    return "(?m)" + r"(?s:.*?)".join(rf"^{line}$" for line in lines)
