"""Models are compared with the databases of external tenants, and copied from one of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import connections, models
from django.test import override_settings
from django.test.utils import isolate_apps

from databases.foreign import source
from databases.foreign.tests.schema_case import SchemaTestCase
from databases.tenants import use_tenant
from databases.tenants.external.tests.readings.models import Reading
from databases.tenants.external.tests.test_external import make_database
from databases.tenants.models import Tenant
from databases.tenants.tests.scratch_server import ScratchServerTestCase
from databases.tenants.tests.two_tenants import DATABASES, FIRST, FIRST_ALIAS, SECOND, SECOND_ALIAS, register_both

#: The generated file of another role.
OTHERS = "from elsewhere import OtherModel\n\n\nclass Thing(OtherModel): ...\n"


def run(*words: str) -> tuple[int, str, str]:
    """Return the exit code of a command, what it prints, and its refusal."""
    stdout = StringIO()
    try:
        call_command(*words, stdout=stdout, stderr=StringIO())
    except CommandError as error:
        return error.returncode, stdout.getvalue(), str(error)
    return 0, stdout.getvalue(), ""


def change(alias: str, statement: Callable[[Any], object]) -> None:
    """Change the tables of a tenant, as their owner may."""
    with connections[alias].schema_editor() as editor:
        statement(editor)


class CopiesTestCase(SchemaTestCase):
    databases = DATABASES

    def setUp(self):
        register_both()
        self.addCleanup(Tenant.objects.all().delete)
        # A project's own models may be unmanaged, and so have no tables here.
        self.enterContext(mock.patch.object(source, "models_of", return_value=[Reading]))
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))


class CheckTests(CopiesTestCase):
    def alter(self, field: models.Field) -> None:
        """Replace the column `name` of the second tenant until the test ends."""
        before = Reading._meta.get_field("name")
        field.set_attributes_from_name("name")
        change(SECOND_ALIAS, lambda editor: editor.alter_field(Reading, before, field))
        self.addCleanup(change, SECOND_ALIAS, lambda editor: editor.alter_field(Reading, field, before))

    def test_each_tenant_has_a_line_and_a_difference_in_one_is_an_error(self):
        fits = "Models: 1. Errors: 0. Other differences: 0.\n"
        self.assertEqual(run("check_tenants"), (0, f"{FIRST}: {fits}{SECOND}: {fits}", ""))
        self.alter(models.CharField(max_length=100, null=True))
        found = "layer_readings.Reading: the column 'name' can be NULL."
        code, said, refusal = run("check_tenants")
        expected = f"{FIRST}: {fits}{SECOND}: Models: 1. Errors: 1. Other differences: 0. {found}\n"
        self.assertEqual((code, said), (1, expected))
        self.assertIn("run import_tenant_models: layer_readings.Reading", refusal)
        self.assertEqual(run("check_tenants", FIRST), (0, f"{FIRST}: {fits}", ""))
        code, said, _ = run("check_tenants", "--json")
        told = [(row["slug"], row["error"], row["models"]) for row in json.loads(said)]
        self.assertEqual((code, told), (1, [(FIRST, "", 1), (SECOND, "", 1)]))
        self.assertEqual([[each["kind"] for each in row["findings"]] for row in json.loads(said)], [[], ["null"]])

    def test_a_contract_is_written_of_tenants_with_the_same_types(self):
        contract = self.folder / "contract.json"
        self.assertEqual(run("check_tenants", f"--contract={contract}")[0], 0)
        self.assertEqual([*json.loads(contract.read_text())], ["layer_readings_reading"])
        self.assertTrue(contract.with_name("contract_check.py").exists())
        contract.unlink()
        # A longer text breaks no read, and is another type.
        self.alter(models.TextField())
        refusal = "A contract needs one database, or several whose columns have the same types: name them."
        self.assertEqual(run("check_tenants", f"--contract={contract}")[::2], (1, refusal))
        self.assertFalse(contract.exists())
        self.assertEqual(run("check_tenants", SECOND, f"--contract={contract}")[0], 0)


class UnreadableTests(ScratchServerTestCase):
    databases = DATABASES

    def test_a_tenant_that_cannot_be_read_hides_no_other_and_is_not_made(self):
        missing, there = sorted([self.new_slug(), self.new_slug()])
        for slug in (missing, there):
            Tenant.objects.create(slug=slug, database=f"tenant_{slug}")
        make_database(f"tenant_{there}")
        del connections[f"tenant_{there}"]
        self.enterContext(mock.patch.object(source, "models_of", return_value=[]))
        for _ in range(2):
            code, said, refusal = run("check_tenants")
            self.assertEqual(code, 2)
            self.assertRegex(said, rf"(?s)^{missing}: cannot be read.*\n{there}: Models: 0\. Errors: 0\.")
            self.assertIn(f"{missing} cannot be read", refusal)
            self.assertNotIn(there, refusal)
        self.assertNotIn(f"tenant_{there}", [each.alias for each in connections.all(initialized_only=True)])
        code, said, _ = run("import_tenant_models", missing, "--all")
        self.assertTrue(code)
        self.assertEqual(said, "")

    def test_an_unknown_tenant_is_refused(self):
        for words in (("check_tenants", "nobody"), ("import_tenant_models", "nobody")):
            self.assertIn("There is no tenant 'nobody'", run(*words)[2])


class ImportTests(CopiesTestCase):
    def setUp(self):
        super().setUp()
        self.enterContext(override_settings(BASE_DIR=self.folder))
        change(
            FIRST_ALIAS,
            lambda editor: editor.execute("CREATE TABLE layerspare_part (id integer PRIMARY KEY, chosen_key integer)"),
        )
        change(FIRST_ALIAS, lambda editor: editor.execute("CREATE TABLE tenant_model (id integer PRIMARY KEY)"))
        change(FIRST_ALIAS, lambda editor: editor.execute("INSERT INTO layerspare_part VALUES (7, 8)"))
        for table in ("layerspare_part", "tenant_model"):
            self.addCleanup(change, FIRST_ALIAS, lambda editor, table=table: editor.execute(f"DROP TABLE {table}"))

    def test_a_tables_copy_is_a_model_of_tenants(self):
        code, said, refusal = run("import_tenant_models", FIRST, "layerspare")
        self.assertEqual((code, refusal), (0, ""))
        self.assertIn('APP_DATABASES in databases.py:\n    "layerspare": "tenant",\n', said)
        text = (self.folder / "layerspare/models/upstream.py").read_text()
        self.assertIn("run `manage.py import_tenant_models` again", text)
        names: dict[str, Any] = {"__name__": "layerspare.models.upstream"}
        exec(compile(text, "upstream.py", "exec"), names)  # noqa: S102
        meta = type("Meta", (names["Part"].Meta,), {"app_label": "layer_readings"})
        with isolate_apps("databases.tenants.external.tests.readings"):
            part = type("Part", (names["Part"],), {"__module__": __name__, "Meta": meta})
        with use_tenant(FIRST):
            self.assertEqual([(each.pk, each.chosen_key_0) for each in part.objects.all()], [(7, 8)])

    def test_copies_of_another_role_stay_as_they_are(self):
        file = self.folder / "elsewhere/models/upstream.py"
        file.parent.mkdir(parents=True)
        file.write_text(OTHERS)
        words = ("import_tenant_models", FIRST, "--tables", "tenant_model", "--into", "layerspare")
        self.assertIn("Tables copied: 1. Left out: 0.", run(*words)[1])
        self.assertEqual(file.read_text(), OTHERS)
        # The name of its base would hide it.
        self.assertIn(
            "\nclass TenantModel2(TenantModel):\n", (self.folder / "layerspare/models/upstream.py").read_text()
        )
        refusal = run("import_tenant_models", SECOND, "layerspare")[2]
        self.assertIn(f"{SECOND} has no app layerspare. Name one of: ", refusal)
