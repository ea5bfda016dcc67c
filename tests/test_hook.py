"""The hook and the filters: small parts whose failures are hard to see in a bake."""

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


def test_the_hook_removes_files_and_folders_that_were_not_chosen(tmp_path: Path) -> None:
    template = copy_template(tmp_path / "template")
    emitted = template / EMITTED.name
    for file in ("outer/inner/file.txt", "outer/file.txt", "kept/file.txt", "file.txt"):
        (emitted / file).parent.mkdir(parents=True, exist_ok=True)
        (emitted / file).touch()
    table = template / "cookiecutter.json"
    answers = json.loads(table.read_text(encoding="utf-8"))
    answers["_owned_paths"]["__mysql"] = ["outer", "outer/file.txt", "file.txt"]
    answers["_owned_paths"]["__mirror"].append("kept")
    table.write_text(json.dumps(answers), encoding="utf-8")
    commands.run([COOKIECUTTER, template, "--no-input", "-o", tmp_path], cwd=tmp_path)
    project = tmp_path / "my_project"
    assert (project / "kept/file.txt").exists()
    assert not (project / "outer").exists()
    assert not (project / "file.txt").exists()


def test_an_unknown_variable_in_the_table_is_an_error() -> None:
    with pytest.raises(KeyError, match="__mirrror"):
        template_extensions.unchosen_paths({"_owned_paths": {"__mirrror": ["manage.py"]}})


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
def test_a_quoted_text_is_read_back_unchanged(text: str) -> None:
    assert tomllib.loads(f"text = {template_extensions.toml_string(text)}")["text"] == text
    namespace: dict[str, str] = {}
    exec(f"text = {template_extensions.python_string(text)}", namespace)  # noqa: S102
    assert namespace["text"] == text


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_ruff_leaves_python_strings_as_they_are(tmp_path: Path, text: str) -> None:
    (tmp_path / "quoted.py").write_text(f"text = {template_extensions.python_string(text)}\n", encoding="utf-8")
    ruff = Path(sys.executable).with_name("ruff")
    commands.run([ruff, "format", "--isolated", "--no-cache", "--check", "quoted.py"], cwd=tmp_path)
