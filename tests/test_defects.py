"""The tests that `docs/reference/defects.md` names exist, in projects or in the template."""

import ast
import re
from pathlib import Path

from tests.support.template import EMITTED, ROOT

ROWS = [
    line.strip("|").split("|")
    for line in (ROOT / "docs/reference/defects.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| package")
]


def test_each_defect_is_covered_by_tests_that_exist() -> None:
    missing = []
    for package, defect, tests in ROWS:
        home = ROOT if tests.strip().startswith("template:") else EMITTED
        named = re.findall(r"`([\w/]+\.py::[^`]+)`", tests)
        assert len(named) == tests.count("::") // (1 if home == ROOT else 2), tests
        assert named, f"No test covers {package.strip()}: {defect.strip()}."
        missing += [test for test in named if test not in names_in(home, test.partition("::")[0])]
    assert missing == []


def names_in(home: Path, file: str) -> set[str]:
    """Return the tests in a file, as pytest names them; none if there is no such file."""
    if not (home / file).exists():
        return set()
    found = set()
    for node in ast.parse((home / file).read_text(encoding="utf-8")).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{file}::{node.name}" if isinstance(node, ast.ClassDef) else file
        functions = (each for each in inner if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
        found |= {f"{prefix}::{each.name}" for each in functions if each.name.startswith("test_")}
    return found
