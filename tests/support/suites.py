"""Running the tests and the checks of a project, and reading what the runners say."""

import os
import re
from collections.abc import Mapping

from tests.support.bakes import Bake
from tests.support.environments import Environment

#: The user's tests and the layer's, in one process: the tests of the template run in several already.
PYTEST = ("python", "-m", "pytest", "--layer", "-p", "no:cacheprovider")
MANAGE = ("python", "manage.py", "test")


def passed(output: str) -> int:
    """Return how many tests passed; fails for none, and for a test that did anything but pass."""
    if ran := re.search(r"^Ran (\d+) tests? in", output, re.MULTILINE):
        assert "\nOK\n" in output, output
    else:
        ran = re.search(r"(\d+) passed", output)
        last = output.rstrip().rpartition("\n")[2]
        assert not re.search(r"\d+ (failed|error|skipped|xfailed|xpassed|deselected)", last), output
    assert ran is not None, output
    assert int(ran[1]) > 0, output
    return int(ran[1])


def remove_examples(project: Bake, tools: Environment) -> list[str]:
    """Run `make remove-examples`, and return the names of the removed apps."""
    before = {path.parent.name for path in project.path.glob("*/apps.py")}
    make(project, tools, "remove-examples", env={"PYTHONDONTWRITEBYTECODE": "1"})
    return sorted(before - {path.parent.name for path in project.path.glob("*/apps.py")})


def make(project: Bake, tools: Environment, *targets: str, env: Mapping[str, str]) -> str:
    """Run targets of a project's Makefile with the programs of an environment, and return the output."""
    # Caches in the environment serve other projects too. One for each process, because mypy does not lock its own.
    cache = tools.folder / f"cache-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    caches = {"MYPY_CACHE_DIR": str(cache / "mypy"), "RUFF_CACHE_DIR": str(cache / "ruff")}
    # For `make`, the project's own environment is there already, and up to date.
    words = ("make", "--silent", f"BIN={tools.bin}", "--old-file=.venv/installed", *targets)
    return project.run(tools, *words, env={**caches, **env})
