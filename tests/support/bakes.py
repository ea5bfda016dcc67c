"""A baked project."""

import ast
import dataclasses
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support import commands
from tests.support.environments import Environment
from tests.support.template import PROMPTS


@dataclasses.dataclass(frozen=True)
class Bake:
    """A project on disk, and the answers (private ones included) that made it."""

    path: Path
    answers: dict[str, Any]

    @property
    def files(self) -> list[str]:
        """The paths of all files, sorted."""
        return sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())

    def digests(self) -> dict[str, str]:
        """Return a digest of each file by path; the digests of programs are marked."""
        found = {file: hashlib.sha256((self.path / file).read_bytes()).hexdigest()[:16] for file in self.files}
        return {file: f"{digest}{' +x' * os.access(self.path / file, os.X_OK)}" for file, digest in found.items()}

    def read(self, file: str) -> str:
        """Return the text of a file. Raises FileNotFoundError."""
        return (self.path / file).read_bytes().decode()

    def copy(self, folder: Path) -> "Bake":
        """Copy the project into a folder and return the copy."""
        return Bake(Path(shutil.copytree(self.path, folder / self.path.name)), self.answers)

    def site_name(self) -> object:
        """Return the project's name in the settings, without running them."""
        for statement in ast.parse(self.read("config/settings.py")).body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "SITE_NAME":
                return ast.literal_eval(statement.value)
        raise AssertionError("config/settings.py does not set SITE_NAME")

    def write(self, file: str, text: str) -> None:
        """Write a file."""
        (self.path / file).write_text(text, encoding="utf-8")

    def run(
        self,
        environment: Environment,
        *command: str | Path,
        env: Mapping[str, str] | None = None,
        code: int | None = 0,
        timeout: float = 900,
    ) -> str:
        """Run a command in the project, with the programs of the environment, and return its output."""
        path = {"PATH": f"{environment.bin}{os.pathsep}{os.environ['PATH']}"}
        return commands.run(command, cwd=self.path, env={**path, **(env or {})}, code=code, timeout=timeout)


def check_answers(answers: Mapping[str, str]) -> None:
    """Raise ValueError for an unknown key, which cookiecutter ignores, or choice, for which it prints a traceback."""
    for key, answer in answers.items():
        if key not in PROMPTS:
            raise ValueError(f"There is no prompt {key!r}; the prompts are {list(PROMPTS)}.")
        if isinstance(PROMPTS[key], list) and answer not in PROMPTS[key]:
            raise ValueError(f"{answer!r} is no answer to {key!r}; the answers are {PROMPTS[key]}.")
