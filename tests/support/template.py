"""The template as the tests see it: its folder, its prompts and its table of owned paths, read from disk."""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EMITTED = ROOT / "{{cookiecutter.project_slug}}"
COOKIECUTTER_JSON: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
PROMPTS: dict[str, Any] = {key: value for key, value in COOKIECUTTER_JSON.items() if not key.startswith("_")}
OWNED_PATHS: dict[str, str] = COOKIECUTTER_JSON["_owned_paths"]


def emitted_files() -> list[str]:
    """Return the paths of the files that the template holds for a project, those git ignores left out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", EMITTED.name],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = {path.partition("/")[2] for path in listed.split("\0") if path}
    return sorted(path for path in paths if (EMITTED / path).exists())


def expected_files(answers: dict[str, str]) -> list[str]:
    """Return the files of a project, from the rendered answers (private ones too) and the table of owned paths."""
    unchosen = {path for path, variable in OWNED_PATHS.items() if not answers[variable]}
    return [file for file in emitted_files() if not unchosen & {file, *map(str, Path(file).parents)}]
