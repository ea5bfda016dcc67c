"""Bad answers: one line that names the answer, the reason and the cure; exit code 1; nothing on disk."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.commands import COOKIECUTTER
from tests.support.template import EMITTED, ROOT

SLUGS = {
    "": "is not a lower case letter followed by",
    " ": "is not a lower case letter followed by",
    "My": "is not a lower case letter followed by",
    "my-project": "is not a lower case letter followed by",
    "my project": "is not a lower case letter followed by",
    "my_project\n": "is not a lower case letter followed by",
    "1st": "is not a lower case letter followed by",
    "_private": "is not a lower case letter followed by",
    "projekt_ä": "is not a lower case letter followed by",
    "../evil": "is not a lower case letter followed by",
    "/tmp/evil": "is not a lower case letter followed by",
    "..": "is not a lower case letter followed by",
    "{{ 7*7 }}": "is not a lower case letter followed by",
    "a" * 41: "has 41 characters",
    "class": "keyword",
    "async": "keyword",
    "test": "that Python or Django brings",
    "django": "that Python or Django brings",
    "json": "that Python or Django brings",
    "psycopg": "that the project depends on",
    "pytest": "that the project depends on",
    "nul": "a device on Windows",
} | {path.name: "inside the project" for path in EMITTED.iterdir() if path.is_dir() and path.name.isidentifier()}

NAMES = {
    "": "it is empty",
    "  ": "it is empty",
    "two\nlines": "U+000A",
    "bell\a": "U+0007",
    "half \udce4": "U+DCE4",
    "line\u2028separator": "U+2028",
    "x" * 101: "it has 101 characters",
}


def refused(
    output: Path, *words: str, typed: str | None = None, program: Sequence[str | Path] = (COOKIECUTTER, ROOT)
) -> str:
    """Run cookiecutter, check that it failed and left nothing, and return what it printed."""
    command = [*program, "-o", output, *words]
    printed = commands.run(command, cwd=output, typed=typed, code=1)
    assert list(output.iterdir()) == []
    return printed


def check_line(printed: str, key: str, answer: str, reason: str) -> None:
    """Check that this is one line, and that it holds all that it must."""
    assert printed.count("\n") == 1
    shown = repr(answer if len(answer) <= 60 else f"{answer[:57]}...")
    assert printed.startswith(f"{key} {shown} is refused: ")
    assert reason in printed
    assert "; type " in printed


@pytest.mark.parametrize(("slug", "reason"), SLUGS.items())
def test_a_bad_slug_on_the_command_line_is_refused_in_one_line(tmp_path: Path, slug: str, reason: str) -> None:
    check_line(refused(tmp_path, "--no-input", f"project_slug={slug}"), "project_slug", slug, reason)


@pytest.mark.parametrize(("name", "reason"), NAMES.items())
def test_a_bad_name_on_the_command_line_is_refused_in_one_line(tmp_path: Path, name: str, reason: str) -> None:
    check_line(refused(tmp_path, "--no-input", f"project_name={name}"), "project_name", name, reason)


@pytest.mark.parametrize("slug", ["config", "databases", "tests"])
def test_the_packages_of_the_contract_are_among_the_refused_ones(slug: str) -> None:
    assert SLUGS[slug] == "inside the project"


def test_a_bad_name_at_the_prompt_is_refused_before_the_next_question(tmp_path: Path) -> None:
    printed = refused(tmp_path, typed="bad\ttab\n")
    assert "Name of its folder" not in printed
    check_line(printed.split("): ")[-1], "project_name", "bad\ttab", "U+0009")


def test_a_bad_slug_at_the_prompt_is_refused_before_the_next_question(tmp_path: Path) -> None:
    printed = refused(tmp_path, typed="\n../evil\n")
    assert "Engine of" not in printed
    check_line(printed.split("): ")[-1], "project_slug", "../evil", "is not a lower case letter")


def test_refusals_do_not_need_hooks(tmp_path: Path) -> None:
    printed = refused(tmp_path, "--no-input", "--accept-hooks=no", "project_slug=class")
    check_line(printed, "project_slug", "class", "keyword")


def test_the_suggested_slug_is_accepted(tmp_path: Path) -> None:
    printed = refused(tmp_path, "--no-input", "project_slug=class")
    suggestion = printed.rstrip(".\n").rpartition(" ")[2].strip("'")
    commands.run([COOKIECUTTER, ROOT, "--no-input", "-o", tmp_path, f"project_slug={suggestion}"], cwd=tmp_path)
    assert (tmp_path / suggestion / "manage.py").exists()


def test_an_existing_folder_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "my_project"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    printed = commands.run([COOKIECUTTER, ROOT, "--no-input", "-o", tmp_path], cwd=tmp_path, code=1)
    assert printed == f'Error: "{folder}" directory already exists\n'
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert (folder / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("primary_database", "oracle"),
        ("secondary_database", ""),
        ("tenant_databases", "Managed"),
        ("django_version", "4.2"),
    ],
)
def test_an_unknown_choice_is_refused_with_the_choices_there_are(tmp_path: Path, key: str, answer: str) -> None:
    # `make project` says it as of any other answer; cookiecutter puts a traceback above, before it loads the template.
    through_make = refused(tmp_path, "--no-input", f"{key}={answer}", program=[sys.executable, ROOT / "bake.py"])
    check_line(through_make, key, answer, "it is not one of the choices; type one of '")
    says = f"{answer} provided for choice variable {key}, but the choices are ["
    assert says in refused(tmp_path, "--no-input", f"{key}={answer}").splitlines()[-1]
