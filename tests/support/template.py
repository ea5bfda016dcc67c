"""The template as the tests see it: its folder, its prompts and its table of owned paths, read from disk."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EMITTED = ROOT / "{{cookiecutter.project_slug}}"
COOKIECUTTER_JSON: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
PROMPTS: dict[str, Any] = {key: value for key, value in COOKIECUTTER_JSON.items() if not key.startswith("_")}
OWNED_PATHS: dict[str, str] = COOKIECUTTER_JSON["_owned_paths"]
SHARED_PATHS: dict[str, list[str]] = COOKIECUTTER_JSON["_shared_paths"]


def emitted_files() -> list[str]:
    """Return the paths of the files that the template holds for a project, those git ignores left out."""
    return [path.partition("/")[2] for path in template_files(EMITTED.name)]


def template_files(folder: str = ".") -> list[str]:
    """Return the paths of the template's files, or of one of its folders, those git ignores left out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(path for path in {*listed.split("\0")} - {""} if (ROOT / path).is_file())


def copy_template(folder: Path) -> Path:
    """Copy the template's files to a folder that a test may spoil, and return it."""
    for path in template_files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    return folder


def expected_files(answers: dict[str, str]) -> list[str]:
    """Return the files of a project, from the rendered answers (private ones too) and the table of owned paths."""
    unchosen = {path for path, variable in OWNED_PATHS.items() if not answers[variable]}
    return [file for file in emitted_files() if not unchosen & {file, *map(str, Path(file).parents)}]
