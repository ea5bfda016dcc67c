"""The contract of what is read: written here, checked by the owner of the database with one file and a driver."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import connections

from databases.foreign import check_command, drift, source
from databases.foreign.tests.schema_case import SchemaTestCase
from databases.mirror.tests.people.models import Member
from databases.registry import models_of
from databases.testing.settings import LAYER
from databases.tests import production


class ContractTests(SchemaTestCase):
    databases = {"mirror"}

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        # A project's own copies may be unmanaged, and so have no tables here.
        layer = [model for model in models_of("mirror") if model._meta.app_label.startswith(LAYER)]
        self.enterContext(mock.patch.object(source, "models_of", return_value=layer))

    def write(self) -> Path:
        path = Path(self.folder, "contract.json")
        call_command("check_mirror", contract=path, stdout=mock.Mock(), stderr=mock.Mock())
        return path

    def check(self, *words: str) -> tuple[int, str]:
        """Run the written program as the owner does: in a folder without this project."""
        program = str(Path(self.folder, "contract_check.py"))
        words = (sys.executable, "-I", program, *words)
        process = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
        self.assertEqual(process.stderr, "")
        return process.returncode, process.stdout

    def test_the_owner_learns_what_would_break(self):
        contract = self.write()
        written = json.loads(contract.read_text())
        self.assertEqual(written["layer_people_member"]["joined"], {"type": "date", "null": False})
        self.assertIn("layer_library_material_subjects", written)
        code, said = self.check(str(contract), production.url_of("mirror", self.folder))
        self.assertEqual((code, said), (0, f"Tables that another application reads: {len(written)}. Broken: 0.\n"))

        old, new = (Member._meta.get_field("name").clone() for _ in range(2))
        new.null = True
        for field in (old, new):
            field.set_attributes_from_name("name")
        with connections["mirror"].schema_editor() as editor:
            editor.alter_field(Member, old, new)
        self.addCleanup(self.change_back, new, old)
        code, said = self.check(str(contract), production.url_of("mirror", self.folder))
        self.assertEqual(code, 1)
        self.assertIn("Broken: layer_people_member.name can be NULL, and could not be.\n", said)

    def change_back(self, new, old) -> None:
        with connections["mirror"].schema_editor() as editor:
            editor.alter_field(Member, new, old)

    def test_no_contract_leaves_a_model_out(self):
        there = mock.patch.object(check_command, "read_all", return_value={"layer_people_member": {"id": {}}})
        with there, self.assertRaisesMessage(CommandError, "write its db_table as the database shows it"):
            self.write()
        self.assertEqual([*Path(self.folder).iterdir()], [])

    def test_no_contract_is_written_for_models_that_have_drifted(self):
        drifted = mock.patch.object(check_command, "read_findings", return_value=[drift.Finding("error", *"abcde")])
        with drifted, self.assertRaisesMessage(CommandError, "These models have drifted"):
            self.write()
        self.assertEqual([*Path(self.folder).iterdir()], [])

    def test_what_cannot_be_checked_is_said_without_the_url(self):
        contract = str(self.write())
        path = Path(self.folder, "broken.json")
        path.write_text("[")
        for words in (
            (contract, "sqlite:////nowhere/hidden.sqlite3"),
            (contract, "oracle://someone:hidden@127.0.0.1/x"),
            (str(path), "sqlite:////nowhere/hidden.sqlite3"),
        ):
            code, said = self.check(*words)
            self.assertEqual(code, 2)
            self.assertRegex(said, r"^The contract could not be checked \(\w+\)\.\n$")
        code, said = self.check()
        self.assertEqual((code, said.partition(":")[0]), (2, "Usage"))
