"""`make change`: other answers, or a newer template, for a project that its user has edited.

The user's edits end up in the project that the new answers would have made: its own tests run elsewhere.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker, Variables
from tests.support import commands, variants
from tests.support.environments import Environment
from tests.support.repositories import GIT, append, commit, git, replace, tree
from tests.support.suites import passed
from tests.support.template import copy_template
from tests.support.variants import CHOICES, Variant

Environments = Callable[[str], Environment]
RECORD = ".template.json"
DJANGO = variants.DJANGO or "5.2"
EVERYTHING = {
    "primary_database": "postgresql",
    "secondary_database": "mirror-and-writable",
    "read_replicas": "yes",
    "tenant_databases": "fleet",
    "django_version": DJANGO,
}
NOTHING = {
    "primary_database": "sqlite",
    "secondary_database": "none",
    "read_replicas": "no",
    "tenant_databases": "none",
    "django_version": DJANGO,
}


def pairs() -> list[tuple[Variant, Variant]]:
    """Return two sets of answers for each change of one answer into another, and some that change every answer.

    The other answers take turns, so that all roles and engines are before, after and beside a change.
    """
    found: list[tuple[Variant, Variant]] = []
    for key, choices in CHOICES.items():
        for old in choices:
            for new in choices:
                others = [
                    (before, after)
                    for before in variants.every()
                    for after in [{**before, key: new}]
                    if before[key] == old != new and after in variants.every()
                    # CI tests one version of Django at a time.
                    if key == "django_version" or before["django_version"] == DJANGO
                ]
                found += others[len(found) * 7 % max(len(others), 1) :][:1]
    one = {
        "primary_database": "mysql",
        "read_replicas": "yes",
        "tenant_databases": "external",
        "django_version": DJANGO,
    }
    other = {**one, "primary_database": "postgresql", "read_replicas": "no", "tenant_databases": "managed"}
    mirror, writable = {"secondary_database": "read-only-mirror"}, {"secondary_database": "writable"}
    return [*found, (NOTHING, EVERYTHING), (EVERYTHING, NOTHING), (one | mirror, other | writable)]


def name_of(pair: tuple[Variant, Variant]) -> str:
    """Return a short name of a pair, such as `sqlite-none-no-managed-5.2 to external`."""
    old, new = pair
    changed = {key: answer for key, answer in new.items() if old.get(key) != answer}
    return f"{variants.name(old)} to {'-'.join(changed.values())}"


PAIRS = pairs()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template in a repository of its own."""
    folder = copy_template(tmp_path_factory.mktemp("template"))
    commit(folder)
    return folder


def change(project: Path, template: Path, *words: str | Path, code: int = 0) -> str:
    """Run what `make change` runs, and return what it printed."""
    return commands.run([sys.executable, template / "change.py", project, *words], cwd=template, env=GIT, code=code)


def answers(variant: Variant) -> list[str]:
    """Return the words for answers."""
    return [f"{key}={answer}" for key, answer in variant.items()]


def baked_by(template: Path, project: Path) -> None:
    """Make a project that this checkout baked, and that the copy of it would have baked alike, the copy's."""
    record = json.loads((project / RECORD).read_text())
    written = json.dumps({**record, "commit": git(template, "rev-parse", "HEAD").strip()}, indent=2)
    (project / RECORD).write_text(f"{written}\n")


def edit(project: Path, old: Variant, new: Variant, *, without_examples: bool) -> None:
    """Edit a project as its user may, before or after a change from the old answers to the new ones."""
    if without_examples:
        commands.run([sys.executable, "-B", "-m", "notes.remove_examples"], cwd=project)
        shutil.rmtree(project / ".removed-examples")
    else:
        (project / "notes/admin.py").unlink()
        (project / "tests/test_notes.py").unlink()
    kept = {old[key] for key in old if old[key] == new[key]}
    role = "secondary" if kept & {"writable", "mirror-and-writable"} else "default"
    replace(project / "config/databases.py", "# Your own apps.\n", f'# Your own apps.\n    "shop": "{role}",\n')
    append(project / "config/databases.py", "\nSHOP_CURRENCY = 'EUR'\n")
    replace(project / "config/settings.py", '    "users",\n', '    "users",\n    "shop",\n')
    replace(project / "config/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Europe/Berlin"')
    urls = '    path("admin/", admin.site.urls),\n'
    replace(project / "config/urls.py", urls, f'{urls}    path("shop/", include("shop.urls")),\n')
    replace(project / "README.md", "\n## Start\n", "\nAsk Chell about it.\n\n## Start\n")
    replace(project / "pyproject.toml", "environ>=0.12", 'environ>=0.12",\n    "requests>=2')
    append(project / ".env.example", "SHOP_KEY=change-me\n")
    append(project / ".gitignore", "/receipts/\n")
    append(project / "Makefile", "\nreceipts:\n\tmkdir receipts\n")
    append(project / "shop/__init__.py", "")
    append(project / "shop/urls.py", "urlpatterns: list[object] = []\n")
    append(
        project / "tests/test_shop.py",
        "from django.conf import settings\nfrom django.test import SimpleTestCase\n\n\n"
        "class ShopTests(SimpleTestCase):\n    def test_settings(self):\n"
        '        assert settings.TIME_ZONE == "Europe/Berlin"\n'
        '        assert settings.SHOP_CURRENCY == "EUR"\n',
    )


def state(project: Path) -> dict[str, object]:
    """Return what a change may touch: the work tree with ignored files, the index, refs and work trees."""
    git_files = {file: (project / ".git" / file) for file in ("HEAD", "MERGE_MSG", "CHERRY_PICK_HEAD")}
    return {
        **{words: git(project, *words.split()) for words in ("status --porcelain", "worktree list", "write-tree")},
        "refs": git(project, "for-each-ref"),
        "files": tree(project),
        "git": {name: file.read_text() for name, file in git_files.items() if file.exists()},
    }


@pytest.fixture
def project(bake: Baker, template: Path) -> Path:
    """A committed project."""
    folder = bake(**NOTHING).path
    baked_by(template, folder)
    commit(folder)
    return folder


@pytest.mark.parametrize(("number", "pair"), [*enumerate(PAIRS)], ids=map(name_of, PAIRS))
def test_edits_survive_a_change_of_answers(
    bake: Baker,
    baked: Baker,
    environment: Environments,
    on_its_engine: Variables,
    template: Path,
    tmp_path: Path,
    number: int,
    pair: tuple[Variant, Variant],
) -> None:
    old, new = pair
    project = bake(**old)
    baked_by(template, project.path)
    edit(project.path, old, new, without_examples=number % 2 == 0)
    commit(project.path)
    said = change(project.path, template, *answers(new))
    expected = baked(**new).copy(tmp_path).path
    baked_by(template, expected)
    edit(expected, old, new, without_examples=number % 2 == 0)
    assert tree(project.path) == tree(expected)
    print("measured:", said.splitlines()[-2])
    assert ", 0 with conflicts" in said
    if number % 7 == 0:
        user = ("python", "-B", "-m", "pytest", "-p", "no:cacheprovider")
        assert passed(project.run(environment(DJANGO), *user, env=on_its_engine(new)))
    # All of it is staged, so this undoes it.
    git(project.path, "diff", "--exit-code")
    git(project.path, "reset", "--quiet", "--hard")
    assert git(project.path, "status", "--porcelain") == ""


def test_conflicts_are_listed_and_shown_without_touching_anything_by_a_dry_run(
    bake: Baker, template: Path, tmp_path: Path
) -> None:
    old, new = {**NOTHING, "primary_database": "mysql", "tenant_databases": "managed"}, NOTHING
    project = bake(**old).path
    baked_by(template, project)
    # Both change the first file. The second is one that only the old answers have, and the user deletes the third.
    replace(project / "README.md", "one database per tenant, created", "a database for each tenant, created")
    append(project / "databases/tenants/cache.py", "\nOURS = True\n")
    (project / ".github/workflows/ci.yml").unlink()
    # Both are far away from what the template changes.
    append(project / "databases/own.py", "\nOURS = True\n")
    (project / "notes/admin.py").unlink()
    commit(project)
    git(project, "branch", "another")
    before = state(project)
    (template / ".venv").symlink_to(Path(sys.executable).parent.parent)
    words = ["make", "--silent", "--old-file=.venv/bake.stamp", "change", "DRY_RUN=1", f"PROJECT={project}"]
    shown = commands.run([*words, f"ARGS={' '.join(answers(new))}"], cwd=template, env=GIT, code=2)
    (template / ".venv").unlink()
    assert state(project) == before
    assert "Nothing was changed" in shown
    said = change(project, template, *answers(new), code=1)
    assert said.splitlines()[:-1] == [line for line in shown.splitlines() if "make: ***" not in line][:-1]
    assert {line for line in said.splitlines() if "U" in line[:2]} == {"UU README.md", "UD databases/tenants/cache.py"}
    assert ", 2 with conflicts" in said
    assert "stay deleted: .github/workflows/ci.yml\n" in said
    assert "<<<<<<< HEAD\n" in (project / "README.md").read_text(encoding="utf-8")
    assert not (project / ".github/workflows/ci.yml").exists()
    assert not (project / "notes/admin.py").exists()
    assert (project / "databases/own.py").read_text(encoding="utf-8").endswith("OURS = True\n")
    git(project, "reset", "--quiet", "--hard")
    assert state(project) == before


def test_a_project_in_a_larger_repository_is_changed_alone(
    bake: Baker, baked: Baker, template: Path, tmp_path: Path
) -> None:
    project = tmp_path / "services/web site"
    project.parent.mkdir()
    bake(**NOTHING).path.rename(project)
    baked_by(template, project)
    append(tmp_path / "services/config/settings.py", "TIME_ZONE = None\n")
    (tmp_path / ".gitignore").write_text("config/databases.py\n.template.json\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all", "--force")
    git(tmp_path, "commit", "--quiet", "--message", "work")
    new = {**NOTHING, "read_replicas": "yes"}
    said = change(project, template, *answers(new))
    assert "\nM  config/databases.py\n" in said
    expected = baked(**new).copy(tmp_path / "expected").path
    baked_by(template, expected)
    assert tree(project) == tree(expected)
    listed = git(tmp_path, "diff", "--cached", "--name-only").splitlines()
    assert listed
    assert all(line.startswith("services/web site/") for line in listed)


def test_a_project_that_knows_no_commit_is_changed_from_a_named_one(template: Path, project: Path) -> None:
    replace(project / RECORD, git(template, "rev-parse", "HEAD").strip(), "")
    commit(project)
    assert "holds no commit" in change(project, template, "read_replicas=yes", code=1)
    change(project, template, "read_replicas=yes", "--from", "HEAD")
    assert "Change the template's answers: read_replicas=yes\n" in (project / ".git/MERGE_MSG").read_text()
    assert json.loads((project / RECORD).read_text())["answers"]["read_replicas"] == "yes"
    assert json.loads((project / RECORD).read_text())["commit"] == git(template, "rev-parse", "HEAD").strip()


def test_a_project_that_is_up_to_date_stays_as_it_is(template: Path, project: Path) -> None:
    before = state(project)
    assert "Nothing changes" in change(project, template)
    assert state(project) == before
    # As `make change` without PROJECT.
    nowhere = commands.run([sys.executable, template / "change.py", ""], cwd=template, env=GIT, code=1)
    assert nowhere.startswith("Name the project's folder")


def test_a_killed_change_leaves_the_project_as_it_was(template: Path, project: Path, tmp_path: Path) -> None:
    before = state(project)
    for word in ("worktree", "commit-tree", "cherry-pick"):
        # A git that first kills the process that starts it, if its words hold this one.
        program = tmp_path / word / "git"
        program.parent.mkdir()
        kill = f'#!/bin/sh\ncase " $* " in *" {word} "*) kill -9 $PPID; exit 1;; esac\n'
        program.write_text(f'{kill}exec {shutil.which("git")} "$@"\n')
        program.chmod(0o755)
        path = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
        words = (sys.executable, template / "change.py", project, "read_replicas=yes")
        commands.run(words, cwd=template, env={**GIT, **path}, code=-9)
        assert state(project) == before
    change(project, template, "read_replicas=yes")
    assert (project / "databases/replicas").is_dir()


def cut_short(project: Path) -> None:
    """Stop a rebase of the project, with a clean work tree."""
    git(project, "commit", "--quiet", "--allow-empty", "--message", "more")
    commands.run(
        ["git", "rebase", "--quiet", "-i", "HEAD~1"],
        cwd=project,
        env={**GIT, "GIT_SEQUENCE_EDITOR": "sed -i s/^pick/edit/"},
    )


def begin_again(project: Path) -> None:
    """Make the project a repository without a commit."""
    shutil.rmtree(project / ".git")
    git(project, "init", "--quiet")


def have_an_ignored_file(project: Path) -> None:
    """Put a file that git ignores where the writable secondary has a folder."""
    append(project / ".gitignore", "/events\n")
    commit(project)
    append(project / "events", "")


#: By what is wrong: how it gets so, the words for the command, and what this says.
REFUSALS: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "a changed file": (lambda project: append(project / "Makefile", "\n"), [], "changes that are not committed"),
    "a new file": (lambda project: append(project / "new.txt", ""), [], "changes that are not committed"),
    "no repository": (lambda project: shutil.rmtree(project / ".git"), [], "not a git repository"),
    "no commit": (begin_again, [], "is not committed in git"),
    "no project": (lambda project: (project / RECORD).unlink(), [], f"it has no {RECORD}"),
    "a damaged record": (lambda project: (project / RECORD).write_text("[]"), [], "is damaged"),
    "an answer that is no text": (
        lambda project: (project / RECORD).write_text('{"commit": "", "answers": {"read_replicas": true}}'),
        [],
        "is damaged (an answer or the commit is no text)",
    ),
    "a rebase": (cut_short, [], "is in progress"),
    "a project of cruft": (lambda project: append(project / ".cruft.json", "{}"), [], "cruft update --variables-to"),
    "no answer": (str, ["read_replicas"], "it is not an answer to a question; type project_name=…, "),
    "an unknown question": (str, ["tenants=managed"], "tenants 'managed' is refused: it is not an answer"),
    "an unknown choice": (str, ["read_replicas=maybe"], "read_replicas 'maybe' is refused: it is not one of"),
    "a fleet on SQLite": (str, ["tenant_databases=fleet"], "tenant_databases 'fleet' is refused: a fleet needs"),
    "another slug": (str, ["project_slug=shop"], "project_slug 'shop' is refused: the project's folder"),
    "an unknown commit": (str, ["--from", "0" * 40], "`git fetch --unshallow` in a shallow clone"),
    "an option for a commit": (str, ["--from=--all"], "is not in the history"),
    "an ignored file": (have_an_ignored_file, ["secondary_database=writable"], "git ignores your"),
}


@pytest.mark.parametrize(("spoil", "words", "says"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_changed_is_refused_in_one_sentence(
    template: Path, project: Path, spoil: Callable[[Path], object], words: list[str], says: str
) -> None:
    spoil(project)
    before = tree(project), (project / ".git").exists() and state(project)
    said = change(project, template, *words, code=1)
    assert says in said
    assert said.count("\n") == 1
    assert (tree(project), (project / ".git").exists() and state(project)) == before


def test_a_shallow_or_older_template_is_refused(template: Path, project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", template, "longer")
    git(tmp_path / "longer", "commit", "--quiet", "--allow-empty", "--message", "more")
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{tmp_path}/longer", "shallow")
    assert "`git fetch --unshallow`" in change(project, tmp_path / "shallow", code=1)
    git(tmp_path / "shallow", "fetch", "--quiet", "--unshallow")
    change(project, tmp_path / "shallow")
    assert "Update the template\n" in (project / ".git/MERGE_MSG").read_text()
    # Only the template's commit is another one.
    assert git(project, "diff", "--cached", "--name-only") == f"{RECORD}\n"
    commit(project)
    git(tmp_path / "shallow", "reset", "--quiet", "--hard", "HEAD~1")
    assert "`git pull`" in change(project, tmp_path / "shallow", code=1)
