"""Each row of the catalogue breaks a project, and the project's own tests must fail."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker, Variables
from tests.support import sabotage, template, variants, zygotes
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.locks import locked
from tests.support.sabotage import Sabotage

Environments = Callable[[str], Environment]

PROMISES = sabotage.catalogue()
ROWS = [row for rows in PROMISES.values() for row in rows]
PYTEST = ("--layer", "-q", "-p", "no:cacheprovider")
#: Runs pytest with a fixed digest of the project, so that a changed one copies the templates of the unchanged one. A
#: row is about the layer at work: only one that changes how test databases are made must migrate its own.
FROM_TEMPLATES = """
import sys
import pytest
sys.dont_write_bytecode = True
class FixedDigest:
    @pytest.hookimpl(trylast=True)
    def pytest_configure(self):
        from databases.testing import templates
        templates.digest = lambda: "0000000000"
sys.exit(pytest.main(sys.argv[1:], plugins=[FixedDigest()]))
"""
#: A short file of every project, whose run makes all templates.
SHORT = "databases/tests/test_atomic.py"


def compiled(project: Bake, tools: Environment, env: dict[str, str]) -> Bake:
    """Return a copy of a project, made once per run, with its bytecode and, on SQLite, the templates of databases."""
    folder = project.path.parent / "compiled"
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            copy = project.copy(folder.with_suffix(".new"))
            zygotes.python(copy, tools, "-m", "compileall", "-q", ".")
            zygotes.python(copy, tools, "-c", FROM_TEMPLATES, *PYTEST, SHORT, env=env)
            folder.with_suffix(".new").rename(folder)
    return Bake(folder / project.path.name, project.answers)


@pytest.fixture(scope="module")
def with_templates() -> dict[str, dict[str, str]]:
    """By variant on PostgreSQL, the environment of this process's test databases, of which templates exist."""
    return {}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_sabotage_is_noticed(
    baked: Baker,
    environment: Environments,
    on_its_engine: Variables,
    with_templates: dict[str, dict[str, str]],
    tmp_path: Path,
    row: Sabotage,
) -> None:
    owners = [variant for variant in row.owners() if row.fits(baked(**variant))]
    assert owners, f"No project has the old text of {row.name!r} in {row.file}: update the row."
    left = {*row.red}
    while left or row.stops:
        # The project that has most of the tests; the first, which is the smallest, if several do.
        variant = max(owners, key=lambda each: len(left & row.tests_in(baked(**each))))
        tests = left & row.tests_in(baked(**variant))
        assert tests or row.stops, f"{row.name!r} names {sorted(left)}, which no project has that it breaks."
        tools, name, env = environment(variant["django_version"]), variants.name(variant), on_its_engine(variant)
        unchanged = compiled(baked(**variant), tools, env)
        project = unchanged.copy(tmp_path / name)
        row.apply(project)
        if not row.stops and not row.file.startswith("databases/testing/") and row.engine != "mysql":
            if row.engine == "postgresql" and name not in with_templates:
                zygotes.python(unchanged, tools, "-c", FROM_TEMPLATES, *PYTEST, SHORT, env=env)
                with_templates[name] = env
            words = ("-c", FROM_TEMPLATES, *PYTEST, *sorted(tests))
            output = zygotes.python(project, tools, *words, env=with_templates.get(name, env), code=None)
            noticed = failed(tests, output)
            tests, left = tests - noticed, left - noticed
            if not tests:
                continue
            # They may notice in databases that the changed project has migrated.
            env = on_its_engine(variant)
        output = zygotes.python(project, tools, "-m", "pytest", *PYTEST, *sorted(tests), env=env, code=None)
        if row.stops:
            assert row.stops in output, output
            assert " passed" not in output, output
            break
        passed = tests - failed(tests, output)
        assert not passed, f"{sorted(passed)} passed:\n{output}"
        left -= tests


def failed(tests: set[str], output: str) -> set[str]:
    """Return those of the tests that pytest says failed."""
    line = r"^(FAILED|ERROR|SUBFAILED.*) {}\b"
    return {test for test in tests if re.search(line.format(re.escape(test)), output, re.MULTILINE)}


def test_the_projects_have_every_file_of_the_layer(baked: Baker) -> None:
    found = {
        file
        for engine in variants.CHOICES["primary_database"]
        for each in sabotage.owners(engine)
        for file in baked(**each).files
    }
    assert {file for file in template.emitted_files() if file.startswith("databases/")} <= found


def test_every_promise_has_its_sabotages() -> None:
    assert len(PROMISES) >= 12
    assert len(ROWS) >= 40


GOOD: dict[str, Any] = {"name": "x", "file": "f", "old": "a", "new": "b", "red": ["tests/test_x.py::XTests::test_x"]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"old": ""}, "changes nothing"),
        ({"new": "a"}, "changes nothing"),
        ({"red": []}, "either `red` or `stops`"),
        ({"stops": "E001"}, "either `red` or `stops`"),
        ({"red": ["tests/test_x.py"]}, "file::class::test"),
        ({"needs": "__mirrror"}, "cookiecutter.json does not have"),
        ({"rde": "misspelt"}, "rde"),
        ({"name": None}, "name"),
    ],
)
def test_an_invalid_row_is_an_error(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    row = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    file = tmp_path / "promise.toml"
    file.write_text("[[sabotage]]\n" + "".join(f"{key} = {value!r}\n" for key, value in row.items()))
    with pytest.raises(ValueError, match=f"promise.toml: .*{re.escape(says)}"):
        sabotage.read(file)


def test_an_old_text_that_is_missing_or_ambiguous_is_an_error(tmp_path: Path) -> None:
    project = Bake(tmp_path, {})
    row = Sabotage(**GOOD)
    project.write("f", "nothing")
    with pytest.raises(LookupError, match="not in f any more"):
        row.apply(project)
    project.write("f", "aa")
    with pytest.raises(LookupError, match="stands 2 times"):
        row.apply(project)


def test_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(ValueError, match=r"empty.toml must hold"):
        sabotage.read(tmp_path / "empty.toml")
