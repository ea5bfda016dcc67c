"""The hook and the filters: small parts whose failures would be hard to see from a bake."""

import json
import sys
import tomllib
from pathlib import Path

import pytest

import template_extensions
from tests.support import commands
from tests.support.commands import COOKIECUTTER
from tests.support.template import EMITTED, ROOT, copy_template

HARD_TEXTS = [
    "",
    "plain",
    "it's",
    'say "hi"',
    'it\'s "both"',
    "back\\slash\\",
    "tab\tnewline\n",
    "🎉 Söhne",
    "\x7f\x00",
    "\u202e",
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the template that a test may spoil."""
    return copy_template(tmp_path / "template")


def change_table(template: Path, path: str, variable: str) -> None:
    """Add a row to the table of owned paths."""
    file = template / "cookiecutter.json"
    answers = json.loads(file.read_text())
    answers["_owned_paths"][path] = variable
    file.write_text(json.dumps(answers))


def bake_fails(template: Path, folder: Path) -> str:
    """Bake, check that it failed and left nothing, and return what was printed."""
    output = folder / "output"
    output.mkdir()
    printed = commands.run([COOKIECUTTER, template, "--no-input", "-o", output], cwd=folder, code=1)
    assert list(output.iterdir()) == []
    return printed


def test_a_row_for_a_path_that_the_template_does_not_hold_fails_the_bake(copy: Path, tmp_path: Path) -> None:
    change_table(copy, "databases/gone.py", "__mirror")
    assert "names what the template does not hold: databases/gone.py" in bake_fails(copy, tmp_path)


def test_a_row_for_a_variable_that_does_not_exist_fails_the_bake(copy: Path, tmp_path: Path) -> None:
    change_table(copy, "manage.py", "__mirrror")
    output = tmp_path / "output"
    output.mkdir()
    assert "__mirrror" in commands.run([COOKIECUTTER, copy, "--no-input", "-o", output], cwd=tmp_path, code=1)


def test_folders_that_removal_empties_are_removed_too(copy: Path, tmp_path: Path) -> None:
    (copy / EMITTED.name / "outer/inner").mkdir(parents=True)
    (copy / EMITTED.name / "outer/inner/only.txt").touch()
    change_table(copy, "outer/inner/only.txt", "__mysql")
    commands.run([COOKIECUTTER, copy, "--no-input", "-o", tmp_path], cwd=tmp_path)
    assert not (tmp_path / "my_project/outer").exists()
    assert (tmp_path / "my_project/manage.py").exists()


def test_a_bake_needs_no_program_from_the_path_and_no_home(tmp_path: Path) -> None:
    environment = {"PATH": "", "HOME": str(tmp_path)}
    commands.run([sys.executable, COOKIECUTTER, ROOT, "--no-input", "-o", tmp_path], cwd=tmp_path, env=environment)
    assert (tmp_path / "my_project/manage.py").exists()
    assert not (tmp_path / "my_project/compose.yaml").exists()


def test_a_bake_says_what_to_do_next_in_one_line(tmp_path: Path) -> None:
    printed = commands.run([COOKIECUTTER, ROOT, "--no-input", "-o", tmp_path, "project_slug=a_shop"], cwd=tmp_path)
    assert printed.startswith("a_shop is ready. Next: `cd a_shop`")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_quoted_texts_mean_what_they_say(text: str) -> None:
    assert tomllib.loads(f"text = {template_extensions.toml_string(text)}")["text"] == text
    namespace: dict[str, str] = {}
    exec(f"text = {template_extensions.python_string(text)}", namespace)  # noqa: S102
    assert namespace["text"] == text


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_ruff_leaves_python_strings_as_they_are(tmp_path: Path, text: str) -> None:
    (tmp_path / "quoted.py").write_text(f"text = {template_extensions.python_string(text)}\n", encoding="utf-8")
    ruff = Path(sys.executable).with_name("ruff")
    commands.run([ruff, "format", "--isolated", "--no-cache", "--check", "quoted.py"], cwd=tmp_path)
