"""A project name is text: every file that quotes it holds it unchanged, and nothing runs it."""

import json
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import commands
from tests.support.bakes import Bake
from tests.support.template import PROMPTS, is_rendered, run_bake_py
from tests.support.variants import CHOICES

HOSTILE = 'O\'Brien & "Söhne" 🎉 \\ {{ 7*7 }}'
NAMES = [
    HOSTILE,
    "{{ 7*7 }}",
    "{{ undefined.thing }}",
    "{% raw %} 100 {% off",
    "{# gone? #}",
    "# % if cookiecutter",
    "{{ cookiecutter.project_slug }}",
    "[bold]brackets[/]",
    "'''single''' \"\"\"double\"\"\"",
    "ends with a backslash \\",
    "\\n \\u0041 \\x41 \\N{DASH}",
    "<script>alert(1)</script>",
    "zero\u200bwidth, \u202eright to left",
    "$HOME `id` $(id) %s %(name)s {0}",
    "x" * 100,
]


def typed(folder: Path, name: str) -> Bake:
    """Bake by typing the name at the prompt, and the default at all others."""
    lines = [name, "a_project", *[""] * len(CHOICES)]
    assert len(lines) == len(PROMPTS)
    code, printed = run_bake_py("-o", str(folder), typed="\n".join([*lines, ""]))
    assert code == 0, printed
    return Bake(folder / "a_project", {})


def check(bake: Bake, name: str) -> None:
    """Check the name in every file that quotes it."""
    assert bake.site_name() == name
    assert name in tomllib.loads(bake.read("pyproject.toml"))["project"]["description"]
    assert name in bake.read("README.md").splitlines()[0]
    for file in bake.files:
        if file.endswith(".py") and is_rendered(file):
            compile(bake.read(file), file, "exec")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_typed_at_the_prompt_stands_unchanged(tmp_path: Path, name: str) -> None:
    check(typed(tmp_path, name), name)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_on_the_command_line_stands_unchanged(bake: Baker, name: str) -> None:
    check(bake(project_name=name, project_slug="a_project"), name)


@pytest.mark.parametrize("name", NAMES)
def test_a_project_of_any_name_is_lint_free_and_formatted(bake: Baker, name: str) -> None:
    project = bake(project_name=name, project_slug="a_project")
    ruff = Path(sys.executable).with_name("ruff")
    commands.run([ruff, "check", "config"], cwd=project.path)
    commands.run([ruff, "format", "--check", "config"], cwd=project.path)


def test_the_output_folder_may_have_braces_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "{{ 7*7 }}"
    folder.mkdir()
    assert typed(folder, "My Project").site_name() == "My Project"


def test_only_four_files_hold_the_name(bake: Baker) -> None:
    project = bake(project_name="Unmistakable 🎉")
    found = [file for file in project.files if "Unmistakable" in project.read(file)]
    assert set(found) <= {".template.json", "README.md", "config/settings.py", "pyproject.toml"}
    assert json.dumps("🎉") not in "".join(map(project.read, found))
