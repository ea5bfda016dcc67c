"""`check_mirror` and the deploy check tell how the mirror differs from the copies, or that it does not answer."""

from __future__ import annotations

import json
from io import StringIO
from unittest import mock

from django.conf import settings
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import SimpleTestCase

from databases.environment import ENGINES
from databases.foreign import drift, source
from databases.foreign.tests.schema_case import SchemaTestCase
from databases.mirror.source import SOURCE
from databases.mirror.tests.people.models import Member
from databases.registry import models_of
from databases.testing.settings import LAYER
from databases.tests import production


class CheckTests(SchemaTestCase):
    # Django's checks of the models ask MySQL's `default` for its version.
    databases = {"default", "mirror"}

    def rename(self, *names: str) -> None:
        with connections["mirror"].schema_editor() as editor:
            editor.alter_db_table(Member, *names)

    def layer_models_only(self) -> None:
        """Compare the models of the test apps: a project's own copies may be unmanaged, and so have no tables here."""
        layer = [model for model in models_of("mirror") if model._meta.app_label.startswith(LAYER)]
        self.enterContext(mock.patch.object(source, "models_of", return_value=layer))

    def test_command_and_check_find_nothing_in_the_test_database(self):
        self.layer_models_only()
        output = StringIO()
        call_command("check_mirror", stdout=output)
        self.assertRegex(output.getvalue(), r"^Models: \d+\. Errors: 0\. Other differences: 0\.\n$")
        self.assertEqual(ids(["mirror"]), [])

    def test_rows_that_a_policy_may_hide_are_said(self):
        self.layer_models_only()
        self.enterContext(mock.patch.object(drift, "hidden_rows", return_value=["layer_people_member"]))
        found = [(each.level, each.model, each.kind) for each in drift.read_findings(SOURCE)]
        self.assertEqual(found, [("info", "layer_people.Member", "hidden rows")])

    def test_command_and_check_name_what_is_missing(self):
        self.layer_models_only()
        rename = ("layer_people_member", "renamed_member")
        self.rename(*rename)
        self.addCleanup(self.rename, *reversed(rename))
        output = StringIO()
        with self.assertRaisesMessage(CommandError, "layer_people.Member") as caught:
            call_command("check_mirror", json=True, stdout=output)
        self.assertEqual(caught.exception.returncode, 1)
        (finding,) = json.loads(output.getvalue())["findings"]
        self.assertEqual(
            finding,
            {
                **{"level": "error", "model": "layer_people.Member", "table": "layer_people_member", "column": ""},
                **{"kind": "missing table", "message": "the table 'layer_people_member' is missing"},
            },
        )
        self.assertEqual(ids(["mirror"]), ["databases.E007"])
        self.assertEqual(ids(["mirror"], deploy=False), [])
        self.assertEqual(ids(["default"]), [])
        self.assertEqual(ids(None), [])


def ids(databases: list[str] | None, *, deploy: bool = True) -> list[str]:
    """Run all checks, and return the ids of the mirror's messages."""
    found = checks.run_checks(include_deployment_checks=deploy, databases=databases)
    return [each.id for each in found if each.id in ("databases.E007", "databases.W002", "databases.I001")]


class UnreadableTests(SimpleTestCase):
    """A mirror that is down, asked by one process in production."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        engine = settings.DATABASES["mirror"]["ENGINE"]
        scheme = next(scheme for scheme, each in ENGINES.items() if each == engine)
        server = "/nowhere" if scheme == "sqlite" else "someone:hidden@127.0.0.1:1"
        cls.commands = production.Commands(MIRROR_DATABASE_URL=f"{scheme}://{server}/hidden")
        cls.addClassCleanup(cls.commands.close)

    def test_the_error_does_not_contain_the_address_or_the_user(self):
        process = self.commands.run("check_mirror", "--json")
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        refusal = r"^CommandError: The mirror cannot be read \(\w+\): check its address and its server\.\n$"
        self.assertRegex(process.stderr, refusal)
        # Called directly: Django's own checks of MySQL raise the driver's error when the server is down.
        code = "import json; from databases.mirror.checks import check_drift\nfound = check_drift(None, ['mirror'])\n"
        code += "print(json.dumps([(each.id, each.level, each.msg) for each in found]))"
        ((found, level, message),) = json.loads(self.commands.run("shell", "-c", code).stdout.splitlines()[-1])
        self.assertEqual((found, level), ("databases.W002", checks.WARNING))
        self.assertNotIn("hidden", message)

    def test_no_other_check_reads_the_mirror(self):
        for words in (("check",), ("check", "--deploy"), ("check", "--deploy", "--database", "default")):
            with self.subTest(words):
                self.assertNotIn("W002", self.commands.run(*words).stderr)
