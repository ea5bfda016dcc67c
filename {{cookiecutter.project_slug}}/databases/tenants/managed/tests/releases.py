"""Releases of a project, which differ in the migrations of the test app."""

from __future__ import annotations

import sys
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path

from django.test import override_settings

from databases.tenants.managed import migration_history
from databases.tenants.tests.scratch_server import ScratchServerTestCase


class ReleaseTestCase(ScratchServerTestCase):
    """Can pretend to be a process of a release with other migrations."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        sys.path.insert(0, folder.name)
        self.addCleanup(sys.path.remove, folder.name)

    @contextmanager
    def release(self, files: dict[str, str]):
        """Within the block the app has these migrations, like in a process of that release."""
        name = f"release_{uuid.uuid4().hex}"
        (self.folder / name).mkdir()
        for file, body in {"__init__": "", **{key: f"    {body}" for key, body in files.items()}}.items():
            head = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
            (self.folder / name / f"{file}.py").write_text(f"{head}{body}\n" if body else "")
        try:
            with override_settings(MIGRATION_MODULES={"layer_points": name}):
                self.forget()
                yield
        finally:
            self.forget()

    def forget(self) -> None:
        migration_history.release.cache_clear()
        migration_history.fingerprint.cache_clear()
