"""What `make change` runs: it bakes a project's old answers and its new ones, and git merges what differs between them.

The old answers are baked by the version of the template that the project comes from, the new ones by this version. Both
bakes become commits in the project's repository that no branch holds, the second a child of the first.
"""

import argparse
import contextlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from template_extensions import refusal

ROOT = Path(__file__).resolve().parent
#: Holds the answers and the template's commit. A bake writes it.
RECORD = ".template.json"
EXAMPLES = "notes/remove_examples.py"
#: What these name in a repository shows that git waits for its user there.
IN_PROGRESS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "sequencer")
#: A hook of git's sets them; they would lead to another repository.
OTHER_REPOSITORY = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"}
CONFIG = (
    *("-c", "user.name=template", "-c", "user.email=template@localhost", "-c", "core.hooksPath=/dev/null"),
    # Or a file of the user's would move with its neighbours from one folder of the layer to another.
    *("-c", "merge.directoryRenames=false", "-c", "core.fsmonitor=false"),
)
UNDO = "`git reset --hard` undoes all of it"


class Project(NamedTuple):
    """A project in a git repository: its folder, the repository's, and the path from one to the other ("" or "a/")."""

    folder: Path
    top: Path
    prefix: str


def main() -> None:
    """Merge the change into the project's work tree, uncommitted, or show it. Exits 1 if there are conflicts."""
    parser = argparse.ArgumentParser(prog="make change")
    parser.add_argument("project", help="the project's folder")
    parser.add_argument("answers", nargs="*", metavar="key=answer", help="answers that change")
    parser.add_argument("--from", dest="commit", help="the template's commit that the project was made from")
    parser.add_argument("--dry-run", action="store_true", help="show the files and the conflicts, and change nothing")
    options = parser.parse_args()
    if not options.project:
        sys.exit("Name the project's folder, such as: make change PROJECT=../my_project")
    record = read_record(Path(options.project).expanduser().resolve())
    project = find_project(Path(options.project).expanduser().resolve())
    answers = {**record["answers"], **new_answers(options.answers, record["answers"])}
    commit = known_commit(record["commit"], options.commit)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        new = bake(ROOT, answers, folder / "new")
        with worktree(ROOT, commit, folder / "template") as template:
            old = bake(template, record["answers"], folder / "old")
        # It may lack the commit, or come from a template that wrote no such file.
        shutil.copy(project.folder / RECORD, old / RECORD)
        tracked = {*git(project.top, "ls-files", "-z").split("\0")}
        leave_examples_out(project, tracked, old, new)
        before = commit_bake(project, old, "-m", "The template")
        # `git commit` will propose this message.
        message = (
            f"Change the template's answers: {' '.join(options.answers)}" if options.answers else "Update the template"
        )
        after = commit_bake(project, new, "-m", message, "-p", before)
        if run_git(project.top, "diff-tree", "--quiet", before, after).returncode == 0:
            print("Nothing changes: the project has these answers, and this version of the template.")
            return
        refuse_ignored(project, tracked, before, after)
        if options.dry_run:
            with worktree(project.top, "HEAD", folder / "dry-run") as copy:
                conflicts = merge(copy, project.prefix, after)
            print("Nothing was changed: this is what would happen.")
        elif conflicts := merge(project.top, project.prefix, after):
            print(f"Edit these files, `git add` or `git rm` each of them, and commit; {UNDO}.")
        else:
            print(f"Read `git diff HEAD`, run `make test` in the project, and commit; {UNDO}.")
    sys.exit(bool(conflicts))


def git(folder: Path, *words: str | Path, **env: str | Path) -> str:
    """Run git in a folder and return what it printed, without the last line end. Exits with git's words if it fails."""
    process = run_git(folder, *words, **env)
    if process.returncode:
        sys.exit(f"git {words[0]} failed in {folder}: {process.stderr.strip()}")
    return process.stdout.removesuffix("\n")


def run_git(folder: Path, *words: str | Path, **env: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run git in a folder, whatever it ends with. Arguments: its words, and variables of its environment."""
    inherited = {key: value for key, value in os.environ.items() if key not in OTHER_REPOSITORY}
    return subprocess.run(
        ["git", *CONFIG, *words],
        cwd=folder,
        env={**inherited, **env},
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
    )


def read_record(folder: Path) -> dict[str, Any]:
    """Return the answers and the commit that a project records. Exits if it is no project, or one of cruft's."""
    if (folder / ".cruft.json").exists():
        sys.exit(
            f"{folder} was made by cruft: in it, run `cruft update`, or change an answer with "
            """`cruft update --variables-to-update '{"tenant_databases": "managed"}'`."""
        )
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if isinstance(record["commit"], str) and all(isinstance(each, str) for each in record["answers"].values()):
            return record
        why = "an answer or the commit is no text"
    except OSError:
        sys.exit(f"{folder} is no project of this template: it has no {RECORD}.")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why = repr(error)
    sys.exit(f"{folder / RECORD} is damaged ({why}): restore it from git.")


def find_project(folder: Path) -> Project:
    """Return the project in its repository. Exits without one, and with changes that are not committed."""
    found = run_git(folder, "rev-parse", "--show-toplevel", "--show-prefix")
    if found.returncode or run_git(folder, "cat-file", "-e", f"HEAD:./{RECORD}").returncode:
        why = found.stderr.partition("\n")[0] or "only what is committed can be merged and undone"
        sys.exit(
            f"{folder} is not committed in git: run `git init`, `git add --all` and `git commit` there first ({why})."
        )
    top, prefix = found.stdout.split("\n")[:2]
    for name in IN_PROGRESS:
        if (folder / git(folder, "rev-parse", "--git-path", name)).exists():
            sys.exit(f"A merge, rebase, cherry-pick or revert is in progress in {top}: end it first (`git status`).")
    if git(folder, "status", "--porcelain", "--untracked-files=normal"):
        sys.exit(f"{top} has changes that are not committed (`git status`): commit or stash them first.")
    return Project(folder, Path(top), prefix)


def new_answers(words: list[str], old: Mapping[str, str]) -> dict[str, str]:
    """Return the answers in the words `key=answer`. Exits for a key that this template does not ask."""
    asked = questions(ROOT)
    found = {}
    for word in words:
        key, _, answer = word.partition("=")
        if key not in asked or "=" not in word:
            sys.exit(str(refusal(key, answer, "it is not an answer to a question", f"type {'=…, '.join(asked)}=…")))
        if key == "project_slug" and answer != old.get(key):
            why = "the project's folder and its databases have the old one"
            sys.exit(str(refusal(key, answer, why, f"type {old.get(key)!r}, or leave it out")))
        found[key] = answer
    return found


def questions(template: Path) -> list[str]:
    """Return the keys of the questions that a version of the template asks."""
    return [key for key in json.loads((template / "cookiecutter.json").read_text("utf-8")) if not key.startswith("_")]


def known_commit(recorded: str, named: str | None) -> str:
    """Return the full hash of the template's commit that is recorded, or named instead of it.

    Exits if it is not in this clone. A recorded one must be older than this version, which would undo newer changes.
    """
    commit = named or recorded
    if not commit:
        sys.exit(f"{RECORD} holds no commit, because the template was no clone then: name it with FROM=<commit>.")
    found = run_git(ROOT, "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}")
    full = found.stdout.strip()
    if found.returncode or not (named or run_git(ROOT, "merge-base", "--is-ancestor", full, "HEAD").returncode == 0):
        sys.exit(
            f"The template's commit {commit}, which the project was made from, is not in the history of {ROOT}: run "
            "`git pull` there (`git fetch --unshallow` in a shallow clone), or name another commit with FROM=<commit>."
        )
    return full


@contextlib.contextmanager
def worktree(repository: Path, commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out in a new folder within the block."""
    try:
        git(repository, "worktree", "add", "--quiet", "--detach", folder, commit)
        yield folder
    finally:
        run_git(repository, "worktree", "remove", "--force", folder)


def bake(template: Path, answers: Mapping[str, str], folder: Path) -> Path:
    """Bake a version of the template and return the project. Exits with the bake's words if it fails."""
    folder.mkdir()
    # cookiecutter keeps the last answers for `--replay`, and its user may have defaults: neither matters here.
    config = folder.with_suffix(".yaml")
    config.write_text(json.dumps({"replay_dir": f"{folder}.replay", "cookiecutters_dir": f"{folder}.templates"}))
    asked = questions(template)
    words = [f"{key}={answer}" for key, answer in answers.items() if key in asked]
    process = subprocess.run(
        [sys.executable, template / "bake.py", "--no-input", "--config-file", config, "-o", folder, *words],
        env={**os.environ, "PYTHONUTF8": "1"},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    if process.returncode:
        sys.exit(process.stdout.strip())
    [project] = folder.iterdir()
    return project


def leave_examples_out(project: Project, tracked: set[str], *bakes: Path) -> None:
    """Remove the examples from the bakes if the project's user has removed them all.

    Otherwise git would see two changes of neighbouring lines, and leave a conflict.
    """
    if not (bakes[0] / EXAMPLES).exists():
        return
    examples = runpy.run_path(str(bakes[0] / EXAMPLES))["example_apps"](bakes[0])
    if any(f"{project.prefix}{app}/apps.py" in tracked for app in examples):
        return
    for each in bakes:
        removal = runpy.run_path(str(each / EXAMPLES))
        removal["remove_examples"](each)
        shutil.rmtree(each / removal["REMOVED"])


def commit_bake(project: Project, bake: Path, *words: str) -> str:
    """Move a bake to where the project is in its repository, and return a commit of that. Arguments: also git's."""
    top = bake.parent.with_suffix(".tree")
    (top / project.prefix).parent.mkdir(parents=True, exist_ok=True)
    bake.rename(top / project.prefix)
    env: dict[str, str | Path] = {
        "GIT_DIR": git(project.top, "rev-parse", "--absolute-git-dir"),
        "GIT_WORK_TREE": top,
        "GIT_INDEX_FILE": top.with_suffix(".index"),
    }
    git(top, "add", "--all", "--force", ".", **env)
    return git(top, "commit-tree", git(top, "write-tree", **env), *words, **env)


def refuse_ignored(project: Project, tracked: set[str], before: str, after: str) -> None:
    """Exit if the change writes to a path that only the user's disk has: git would overwrite what it ignores."""
    words = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", "--diff-filter=d")
    for path in {*git(project.top, *words, before, after).split("\0")} - {""} - tracked:
        above = [str(parent) for parent in Path(path).parents if not (project.top / parent).is_dir()]
        for taken in (path, *above):
            if taken not in tracked and os.path.lexists(project.top / taken):
                sys.exit(f"The change writes {path}, and git ignores your {project.top / taken}: move it away first.")


def merge(top: Path, prefix: str, commit: str) -> list[str]:
    """Merge what a commit changes into a work tree, say what happened there, and return the files with conflicts."""
    # Short files of two apps resemble each other. Only a file that hardly changed was moved.
    process = run_git(top, "cherry-pick", "--no-commit", "--strategy-option=find-renames=90", commit)
    states = read_states(top)
    if process.returncode and not any(map(is_conflict, states.values())):
        sys.exit(f"git cherry-pick failed in {top}: {process.stderr.strip()}")
    if deleted := [path for path, state in states.items() if state == "DU"]:
        git(top, "--literal-pathspecs", "rm", "--quiet", "--", *deleted)
        states = read_states(top)
    conflicts = [path for path, state in states.items() if is_conflict(state)]
    for path in sorted(states, key=lambda path: path in conflicts):
        print(states[path], path.removeprefix(prefix))
    print(
        f"{len(states)} files change, {len(conflicts)} with conflicts (UU: both changed it, UD: the new bake lacks it)."
    )
    if deleted:
        print("You deleted these files, and they stay deleted:", *(path.removeprefix(prefix) for path in deleted))
    return conflicts


def is_conflict(state: str) -> bool:
    """Return whether the two letters of `git status` say that git could not merge a file."""
    return "U" in state or state in ("AA", "DD")


def read_states(top: Path) -> dict[str, str]:
    """Return what `git status` says of each file that differs from the last commit, two letters, by path."""
    listed = git(top, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
    return {line[3:]: line[:2] for line in listed.split("\0") if line}


if __name__ == "__main__":
    main()
