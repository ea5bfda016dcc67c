"""What a README or a workflow tells people to run."""

import re
from typing import Any

import yaml

PROGRAMS = ("make", "python", "pytest", "uvx", "pipx", "pip", "cruft", "docker")


def commands(markdown: str) -> list[str]:
    """Return the commands of a Markdown text in their order, each once: lines of blocks, and code between the words.

    Raises ValueError for a line in a block of commands that begins with no program known here: it would not be run.
    """
    found: dict[str, None] = {}
    for words, language, block in parts(markdown):
        spans = (span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", words))
        found |= dict.fromkeys(span for span in spans if span.startswith(tuple(f"{name} " for name in PROGRAMS)))
        for line in block.splitlines() if language in ("console", "sh") else ():
            command = re.sub(r"\s+#.*", "", line).strip()
            if not command.startswith(PROGRAMS):
                raise ValueError(f"Who runs {command!r}? Its program is not one of {', '.join(PROGRAMS)}.")
            found[command] = None
    return list(found)


def blocks(markdown: str, language: str) -> list[str]:
    """Return the blocks of a Markdown text in one language."""
    return [block for _, found, block in parts(markdown) if found == language]


def parts(markdown: str) -> list[tuple[str, str, str]]:
    """Return the text, each stretch with the block that follows it: words, language, content."""
    split = [*re.split(r"^```(\w*)\n(.*?)^```$", markdown, flags=re.MULTILINE | re.DOTALL), "", ""]
    return list(zip(split[::3], split[1::3], split[2::3], strict=True))


def steps(workflow: str) -> list[str]:
    """Return what the jobs of a workflow run, in its order.

    Raises ValueError for a step that is neither a command nor one of the actions that bring the sources and Python.
    """
    found = []
    for job in yaml.safe_load(workflow)["jobs"].values():
        for step in job["steps"]:
            if not is_known(step):
                raise ValueError(f"Who does {step!r}?")
            found += [step["run"]] if "run" in step else []
    return found


def is_known(step: dict[str, Any]) -> bool:
    """Return whether a step is a command, or one of the actions that stand for what a test has already."""
    return "run" in step or step["uses"].partition("@")[0] in ("actions/checkout", "actions/setup-python")
