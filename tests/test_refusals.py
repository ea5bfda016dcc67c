"""Bad answers: one line that names the answer, the reason and the cure; exit code 1; nothing on disk.

At a terminal the question is asked again instead.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.commands import COOKIECUTTER
from tests.support.template import EMITTED, PROMPTS, ROOT, run_bake_py

BAKE_PY = (sys.executable, ROOT / "bake.py")
PROGRAMS = pytest.mark.parametrize("program", [(COOKIECUTTER, ROOT), BAKE_PY], ids=["cookiecutter", "make project"])

SLUGS = {
    "": "is not a lower-case letter followed by",
    " ": "is not a lower-case letter followed by",
    "My": "is not a lower-case letter followed by",
    "my-project": "is not a lower-case letter followed by",
    "my project": "is not a lower-case letter followed by",
    "my_project\n": "is not a lower-case letter followed by",
    "1st": "is not a lower-case letter followed by",
    "_private": "is not a lower-case letter followed by",
    "projekt_ä": "is not a lower-case letter followed by",
    "../evil": "is not a lower-case letter followed by",
    "/tmp/evil": "is not a lower-case letter followed by",
    "..": "is not a lower-case letter followed by",
    "{{ 7*7 }}": "is not a lower-case letter followed by",
    "a" * 41: "has 41 characters",
    "class": "keyword",
    "async": "keyword",
    "test": "a package of Python or Django",
    "django": "a package of Python or Django",
    "json": "a package of Python or Django",
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
    printed = commands.run([*program, "-o", output, *words], cwd=output, typed=typed, code=1)
    assert list(output.iterdir()) == []
    return printed


def check_line(printed: str, key: str, answer: str, reason: str) -> None:
    """Check that this is one line, which says everything."""
    assert printed.count("\n") == 1
    shown = repr(answer if len(answer) <= 60 else f"{answer[:57]}...")
    assert printed.startswith(f"{key} {shown} is refused: ")
    assert reason in printed
    assert "; type " in printed


def check_answer(output: Path, key: str, answer: str, reason: str) -> None:
    """Give one answer to `bake.py` in this process, and check that it is refused for this reason."""
    code, printed = run_bake_py("--no-input", "-o", str(output), f"{key}={answer}")
    assert code == 1
    assert list(output.iterdir()) == []
    check_line(printed, key, answer, reason)


@pytest.mark.parametrize(("slug", "reason"), SLUGS.items())
def test_a_bad_slug_is_refused_in_one_line(tmp_path: Path, slug: str, reason: str) -> None:
    check_answer(tmp_path, "project_slug", slug, reason)


@pytest.mark.parametrize(("name", "reason"), NAMES.items())
def test_a_bad_name_is_refused_in_one_line(tmp_path: Path, name: str, reason: str) -> None:
    check_answer(tmp_path, "project_name", name, reason)


@pytest.mark.parametrize("engine", ["sqlite", "mysql"])
@PROGRAMS
def test_a_fleet_without_postgresql_is_refused_in_one_line(
    tmp_path: Path, program: Sequence[str | Path], engine: str
) -> None:
    printed = refused(tmp_path, "--no-input", f"primary_database={engine}", "tenant_databases=fleet", program=program)
    check_line(printed, "tenant_databases", "fleet", f"a fleet needs PostgreSQL, and primary_database is {engine}")


@pytest.mark.parametrize("slug", ["config", "databases", "tests"])
def test_the_packages_of_the_contract_are_among_the_refused_ones(slug: str) -> None:
    assert SLUGS[slug] == "inside the project"


@pytest.mark.parametrize(
    ("key", "typed", "answer", "reason"),
    [
        ("project_name", "bad\ttab\n", "bad\ttab", "U+0009"),
        ("project_slug", "\n../evil\n", "../evil", "is not a lower-case letter"),
        ("tenant_databases", "\n\n\n\n\n3\n", "fleet", "needs PostgreSQL"),
    ],
)
def test_an_answer_from_a_pipe_is_refused_before_the_next_question(
    tmp_path: Path, key: str, typed: str, answer: str, reason: str
) -> None:
    printed = refused(tmp_path, typed=typed)
    assert f"[{list(PROMPTS).index(key) + 1}/{len(PROMPTS)}]" in printed
    assert f"[{list(PROMPTS).index(key) + 2}/{len(PROMPTS)}]" not in printed
    check_line(printed.split("): ")[-1], key, answer, reason)


@PROGRAMS
def test_a_bad_answer_at_a_terminal_is_asked_again(tmp_path: Path, program: Sequence[str | Path]) -> None:
    typed = ["x" * 101, " ", "A Shop", "class", "Shop", "", "1", "1", "1", "3", "2", "1"]
    code, printed = commands.at_terminal([*program, "-o", tmp_path], typed, cwd=tmp_path)
    assert code == 0, printed
    assert printed.count(" is refused: ") == 5
    assert [printed.count(f"[{number}/{len(PROMPTS)}]") for number in range(1, len(PROMPTS) + 1)] == [
        3,
        3,
        1,
        1,
        1,
        2,
        1,
    ]
    assert "project_name '" + "x" * 57 in printed
    assert "project_slug 'class' is refused: it is the name of a keyword of Python" in printed
    assert "tenant_databases 'fleet' is refused: a fleet needs PostgreSQL" in printed
    # The default of the slug follows the new name; 2 means "managed" as it did before.
    assert [path.name for path in tmp_path.iterdir()] == ["a_shop"]
    assert 'SITE_NAME = "A Shop"' in (tmp_path / "a_shop/config/settings.py").read_text()
    assert (tmp_path / "a_shop/databases/tenants/managed").exists()


def test_the_choice_that_was_refused_is_not_offered_again(tmp_path: Path) -> None:
    code, printed = commands.at_terminal(
        [*BAKE_PY, "-o", tmp_path], ["", "", "1", "1", "1", "3", "3", "1"], cwd=tmp_path
    )
    assert code == 0, printed
    first, again = printed.partition(" is refused: ")[::2]
    assert "Fleet:" in first
    assert "Fleet:" not in again
    assert (tmp_path / "my_project/databases/tenants/external").exists()


@PROGRAMS
def test_no_input_at_a_terminal_is_refused_in_one_line(tmp_path: Path, program: Sequence[str | Path]) -> None:
    command = [*program, "-o", tmp_path, "--no-input", "project_slug=class"]
    code, printed = commands.at_terminal(command, ["never_read"], cwd=tmp_path, echo=False)
    assert code == 1
    check_line(printed, "project_slug", "class", "keyword")
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_input_ends_the_questions(tmp_path: Path) -> None:
    code, printed = commands.at_terminal([*BAKE_PY, "-o", tmp_path], ["", "class", "\x04"], cwd=tmp_path)
    assert code == 1
    assert printed.endswith("Aborted!\n")
    assert "Traceback" not in printed
    assert list(tmp_path.iterdir()) == []


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
        ("read_replicas", "maybe"),
        ("tenant_databases", "Managed"),
        ("django_version", "4.2"),
    ],
)
def test_an_unknown_choice_is_refused_with_the_choices_there_are(tmp_path: Path, key: str, answer: str) -> None:
    # cookiecutter raises before it loads the template, and prints a traceback; `make project` prints one line.
    check_answer(tmp_path, key, answer, "it is not one of the choices; type one of '")
    says = f"{answer} provided for choice variable {key}, but the choices are ["
    assert says in refused(tmp_path, "--no-input", f"{key}={answer}").splitlines()[-1]
