"""A small project in a temporary folder, for tests that write source files.

It has the layer and the apps that a test writes, but neither apps nor settings of the user.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from databases.environment import PROJECT
from databases.tests import production

SEED = "seeds/migrations/0001_seed.py"
#: The app of the seeds, as in a project that this template made.
SEEDS = {
    "seeds/__init__.py": """
from pathlib import Path

FIXTURES = Path(__file__).resolve().parent / "fixtures"
""",
    "seeds/apps.py": """
from django.apps import AppConfig, apps
from databases.foreign import fixtures, seeding
from . import FIXTURES

class SeedsConfig(AppConfig):
    name = "seeds"

    def ready(self):
        seeding.install()
        fixtures.check_installed(FIXTURES, set(apps.app_configs))
""",
    "seeds/migrations/__init__.py": "",
    SEED: """
from django.db import migrations
from databases.foreign.fixtures import all_seeded_apps
from databases.foreign.seeding import load_seed
from seeds import FIXTURES

def seed(apps, schema_editor):
    load_seed(FIXTURES, apps, schema_editor.connection.alias)

class Migration(migrations.Migration):
    dependencies = [(label, "__latest__") for label in all_seeded_apps(FIXTURES)]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
""",
}


class SmallProject:
    """A folder with sources, and processes that run there.

    Arguments: the folder, and the dotted path of the settings, which take the current directory for the project.
    """

    def __init__(self, folder: str, settings: str) -> None:
        self.path = Path(folder)
        path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        self.environment = {"DJANGO_SETTINGS_MODULE": settings, "PYTHONPATH": path}

    def write(self, files: Mapping[str, str]) -> None:
        """Write text files, by their paths in the project."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def python(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these words."""
        return production.python(*words, project=self.path, **{**self.environment, **environment})

    def command(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Django with these words."""
        return self.python("-m", "django", *words, **environment)

    def start(self, **environment: str) -> production.Commands:
        """Start a process that runs several commands."""
        return production.Commands(project=self.path, **{**self.environment, **environment})

    def sources(self) -> dict[Path, bytes]:
        """Return every file of the project that is not byte code or a database."""
        skipped = (".pyc", ".sqlite3")
        return {
            path: path.read_bytes() for path in self.path.rglob("*") if path.is_file() and path.suffix not in skipped
        }
