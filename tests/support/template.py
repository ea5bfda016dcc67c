"""The template as the tests see it: its folder, its prompts and its table of owned paths, read from disk."""

import contextlib
import fnmatch
import io
import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EMITTED = ROOT / "{{cookiecutter.project_slug}}"
COOKIECUTTER_JSON: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
PROMPTS: dict[str, Any] = {key: value for key, value in COOKIECUTTER_JSON.items() if not key.startswith("_")}
#: By path, the variable whose answer it belongs to.
OWNED_PATHS: dict[str, str] = {
    path: variable for variable, paths in COOKIECUTTER_JSON["_owned_paths"].items() for path in paths
}


def emitted_files() -> list[str]:
    """Return the paths of all files that the template holds for a project, without files that git ignores."""
    return [path.partition("/")[2] for path in template_files(EMITTED.name)]


def template_files(folder: str = ".") -> list[str]:
    """Return the paths of the template's files, or of one of its folders, without files that git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(path for path in {*listed.split("\0")} - {""} if (ROOT / path).is_file())


def copy_template(folder: Path) -> Path:
    """Copy the template's files to a folder that a test may change, and return it."""
    for path in template_files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    return folder


def is_rendered(file: str) -> bool:
    """Return whether cookiecutter renders an emitted file; it copies what `_copy_without_render` names."""
    paths = [file, *map(str, Path(file).parents)]
    return not any(fnmatch.fnmatch(path, each) for path in paths for each in COOKIECUTTER_JSON["_copy_without_render"])


def expected_files(answers: dict[str, str]) -> list[str]:
    """Return the files of a project, from the rendered answers (private ones too) and the table of owned paths."""
    unchosen = {path for path, variable in OWNED_PATHS.items() if not answers[variable]}
    return [file for file in emitted_files() if not unchosen & {file, *map(str, Path(file).parents)}]


def run_bake_py(*words: str, typed: str = "") -> tuple[int, str]:
    """Run `bake.py`, as `make project` does, in this process; return its exit code and what it printed.

    Arguments: words for cookiecutter, and what is typed at its prompts.
    """
    printed = io.StringIO()
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = ["bake.py", *words], io.StringIO(typed)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            runpy.run_path(str(ROOT / "bake.py"))
    except SystemExit as error:
        if not isinstance(error.code, str):
            return int(error.code or 0), printed.getvalue()
        # Python prints such a code, and exits with 1.
        return 1, f"{printed.getvalue()}{error.code}\n"
    finally:
        sys.argv, sys.stdin = before
    raise AssertionError("cookiecutter's command line ends with an exit code")
