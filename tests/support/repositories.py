"""Git repositories of templates and projects, and the edits that tests make in them."""

from pathlib import Path

from tests.support import commands
from tests.support.bakes import Bake

# Commits need an author, and settings of this machine must not change them.
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_{key}": "author" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")},
}


def git(folder: Path, *words: str | Path) -> str:
    """Run git in a folder and return what it printed."""
    return commands.run(["git", *words], cwd=folder, env=GIT)


def commit(folder: Path) -> None:
    """Commit everything in a folder, and make it a repository if it is not one."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "work")


def replace(file: Path, old: str, new: str) -> None:
    """Replace a text that must stand in the file once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, (file, old)
    file.write_text(text.replace(old, new), encoding="utf-8")


def append(file: Path, text: str) -> None:
    """Append to a file, or create it."""
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(text)


def tree(project: Path) -> dict[str, bytes]:
    """Return the contents of a project's files by path, without the files of git and cruft."""
    files = [file for file in Bake(project, {}).files if not file.startswith((".git/", ".cruft.json"))]
    return {file: (project / file).read_bytes() for file in files}
