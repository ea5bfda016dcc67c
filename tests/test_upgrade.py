"""`cruft update` and `make change` bring the template's changes into a project, and keep its user's edits.

The second version of the template is made here, by a change of every kind.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support import commands, settings, variants
from tests.support.bakes import Bake
from tests.support.commands import COOKIECUTTER
from tests.support.environments import Environment
from tests.support.repositories import GIT, append, commit, git, replace, tree
from tests.support.suites import PYTEST, passed
from tests.support.template import EMITTED, PROMPTS, copy_template

Environments = Callable[[str], Environment]

CRUFT = COOKIECUTTER.with_name("cruft")
DJANGO = variants.DJANGO or "5.2"
ANSWERS = {
    "project_name": 'O\'Brien & "Söhne" {{ 7*7 }}',
    "project_slug": "a_project",
    "primary_database": "sqlite",
    "secondary_database": "read-only-mirror",
    "read_replicas": "yes",
    "tenant_databases": "managed",
    "django_version": DJANGO,
}
# The template's second version removes the first file, and the user deletes the second.
REMOVED = "databases/tests/test_availability.py"
DELETED = "notes/admin.py"


def cruft(folder: Path, *words: str | Path, code: int = 0, typed: str | None = None) -> str:
    """Run cruft in a folder and return what it printed."""
    return commands.run([CRUFT, *words], cwd=folder, env={**GIT, "PYTHONUTF8": "1"}, code=code, typed=typed)


def change_template(template: Path) -> None:
    """Make the second version of the template."""
    emitted = template / EMITTED.name
    append(emitted / "databases/own.py", "\nARRIVED = True\n")
    append(emitted / DELETED, "\nARRIVED = True\n")
    # A filter that the first version does not have, for a file that the user changes too.
    extension = template / "template_extensions.py"
    replace(extension, "filters.update(", "filters.update(loud=str.upper, ")
    append(emitted / "config/settings.py", "\nLOUD_NAME = {{ cookiecutter.project_name | loud | python_string }}\n")

    table = template / "cookiecutter.json"
    answers = json.loads(table.read_text(encoding="utf-8"))
    # The answers are the same, and a variable that depends on them changes.
    answers["__python"] = "3.11"
    answers["new_question"] = ["usual", "unusual"]
    append(emitted / "README.md", "\nThis is {{ cookiecutter.new_question }}.\n")
    for file, variable in {"databases/arrived.py": "__mirror", "databases/absent.py": "__external"}.items():
        append(emitted / file, '"""A new module."""\n')
        answers["_owned_paths"][variable].append(file)
    (emitted / REMOVED).unlink()
    answers["_owned_paths"]["__availability"].remove(REMOVED)
    table.write_text(json.dumps(answers), encoding="utf-8")


def edit(project: Path) -> None:
    """Edit a project as its user may."""
    replace(project / "config/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Europe/Berlin"')
    replace(project / "config/settings.py", '    "users",\n', '    "users",\n    "shop",\n')
    replace(project / "README.md", "\n## Start\n", "\nAsk Chell about it.\n\n## Start\n")
    append(project / "shop/__init__.py", "")
    append(
        project / "tests/test_shop.py",
        "from django.conf import settings\nfrom django.test import SimpleTestCase\n\n\n"
        "class ShopTests(SimpleTestCase):\n    def test_settings_of_both(self):\n"
        '        assert settings.TIME_ZONE == "Europe/Berlin"\n        assert settings.LOUD_NAME\n',
    )
    (project / DELETED).unlink()


def bake(template: Path, folder: Path, others: Mapping[str, str] | None = None) -> Path:
    """Bake the template in its present state, with other answers if they are given, and return the project."""
    answers = [f"{key}={answer}" for key, answer in {**ANSWERS, **(others or {})}.items()]
    commands.run([COOKIECUTTER, template, "--no-input", "-o", folder, *answers], cwd=template)
    return folder / ANSWERS["project_slug"]


def create(template: Path, folder: Path, version: str = "first") -> Path:
    """Make a project of a version of the template by cruft, commit it and return it."""
    cruft(folder, "create", template, "-c", version, "--no-input", "--extra-context", json.dumps(ANSWERS))
    commit(folder / ANSWERS["project_slug"])
    return folder / ANSWERS["project_slug"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the template with two versions, of which the first is tagged `first`."""
    folder = copy_template(tmp_path_factory.mktemp("template"))
    commit(folder)
    git(folder, "tag", "first")
    change_template(folder)
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def upgraded(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Bake:
    """A project of the first version, edited by its user and then updated to the second."""
    project = create(template, tmp_path_factory.mktemp("upgraded"))
    edit(project)
    commit(project)
    assert "is out of date" in cruft(project, "check", code=1)
    cruft(project, "update", "--skip-apply-ask")
    assert "is up to date" in cruft(project, "check")
    return Bake(project, {})


def test_an_upgraded_project_equals_a_new_one_with_the_same_edits(
    upgraded: Bake, template: Path, tmp_path: Path
) -> None:
    expected = bake(template, tmp_path)
    edit(expected)
    assert tree(upgraded.path) == tree(expected)


def test_every_kind_of_change_arrives(upgraded: Bake) -> None:
    assert upgraded.read("databases/own.py").endswith("\nARRIVED = True\n")
    assert upgraded.read("config/settings.py").endswith("LOUD_NAME = 'O\\'BRIEN & \"SÖHNE\" {{ 7*7 }}'\n")
    assert upgraded.read("README.md").endswith("\nThis is usual.\n")
    assert 'requires-python = ">=3.11"' in upgraded.read("pyproject.toml")
    assert "databases/arrived.py" in upgraded.files
    assert not {"databases/absent.py", REMOVED} & {*upgraded.files}


def test_no_edit_of_the_user_is_lost(upgraded: Bake) -> None:
    assert 'TIME_ZONE = "Europe/Berlin"' in upgraded.read("config/settings.py")
    assert "Ask Chell" in upgraded.read("README.md")
    assert {"shop/__init__.py", "tests/test_shop.py"} <= {*upgraded.files}
    assert DELETED not in upgraded.files


def test_the_suite_of_an_upgraded_project_passes(upgraded: Bake, environment: Environments, tmp_path: Path) -> None:
    # A run of tests leaves files, and other tests compare this project's.
    project = upgraded.copy(tmp_path)
    url = {"TEST_DATABASE_URL": settings.sqlite(project.path)("tests")}
    assert passed(project.run(environment(DJANGO), *PYTEST, env=url))


def test_a_line_that_both_changed_is_a_conflict_for_the_user(template: Path, tmp_path: Path) -> None:
    project = create(template, tmp_path)
    append(project / "databases/own.py", "\nOURS = True\n")
    commit(project)
    assert "U databases/own.py" in cruft(project, "update", "--skip-apply-ask")
    assert git(project, "diff", "--name-only", "--diff-filter=U") == "databases/own.py\n"
    text = (project / "databases/own.py").read_text(encoding="utf-8")
    assert text.endswith("<<<<<<< ours\nOURS = True\n=======\nARRIVED = True\n>>>>>>> theirs\n")


def test_a_project_made_without_cruft_is_upgraded_after_cruft_link(template: Path, tmp_path: Path) -> None:
    git(template, "worktree", "add", "--quiet", tmp_path / "first", "first")
    project = bake(tmp_path / "first", tmp_path)
    edit(project)
    commit(project)
    # cruft asks the questions of the newest version, and then for the commit that the project was made from.
    numbers = {key: str(choices.index(ANSWERS[key]) + 1) for key, choices in variants.CHOICES.items()}
    typed = [*(numbers.get(key, ANSWERS[key]) for key in PROMPTS), "", git(template, "rev-parse", "first")]
    cruft(project, "link", template, typed="\n".join(typed))
    commit(project)
    cruft(project, "update", "--skip-apply-ask")
    expected = bake(template, tmp_path / "expected")
    edit(expected)
    assert tree(project) == tree(expected)


def test_make_change_takes_a_newer_template_too(template: Path, upgraded: Bake, tmp_path: Path) -> None:
    git(template, "worktree", "add", "--quiet", tmp_path / "first", "first")
    project = bake(tmp_path / "first", tmp_path)
    edit(project)
    commit(project)
    said = commands.run([sys.executable, template / "change.py", project], cwd=template, env=GIT)
    assert f"stay deleted: {DELETED}\n" in said
    assert tree(project) == tree(upgraded.path)


def test_cruft_changes_answers(template: Path, tmp_path: Path) -> None:
    project = create(template, tmp_path, "HEAD")
    edit(project)
    commit(project)
    answers = {"tenant_databases": "none", "read_replicas": "no", "secondary_database": "writable"}
    said = commands.run([sys.executable, template / "change.py", project], cwd=template, env=GIT, code=1)
    assert """cruft update --variables-to-update '{"tenant_databases": "managed"}'""" in said
    cruft(project, "update", "--skip-apply-ask", "--variables-to-update", json.dumps(answers))
    expected = bake(template, tmp_path / "expected", answers)
    edit(expected)
    assert tree(project) == tree(expected)
