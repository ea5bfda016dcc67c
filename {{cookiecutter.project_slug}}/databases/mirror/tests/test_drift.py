"""Drift is found after real changes of tables, on the project's own engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any
from unittest import mock

from django.conf import settings
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connections, models
from django.test import SimpleTestCase

from databases.environment import ENGINES
from databases.foreign.tests.schema_case import SchemaTestCase
from databases.mirror import drift
from databases.mirror.drift import Finding, compare
from databases.mirror.introspection import read_columns
from databases.mirror.tests.people.models import Member, Organisation
from databases.mirror.tests.test_comparison import char, integer, kinds, model_of, text
from databases.registry import models_of
from databases.testing.settings import LAYER
from databases.tests import production


def every_field(**options: Any) -> dict[str, models.Field]:
    """Return one field of each class that Django has."""
    plain = (
        *(models.BigIntegerField, models.BinaryField, models.BooleanField, models.DateField, models.DateTimeField),
        *(models.DurationField, models.EmailField, models.FileField, models.FilePathField, models.FloatField),
        *(models.GenericIPAddressField, models.ImageField, models.IntegerField, models.JSONField),
        *(models.PositiveBigIntegerField, models.PositiveIntegerField, models.PositiveSmallIntegerField),
        *(models.SlugField, models.SmallIntegerField, models.TextField, models.TimeField, models.URLField),
        *(models.UUIDField,),
    )
    return {
        **{field.__name__.lower(): field(**options) for field in plain},
        "decimal": models.DecimalField(max_digits=9, decimal_places=2, **options),
        "char": char(max_length=30, **options),
        "relation": models.ForeignKey(Organisation, on_delete=models.DO_NOTHING, related_name="+", **options),
        "single": models.OneToOneField(Organisation, on_delete=models.DO_NOTHING, related_name="+", **options),
    }


#: A field of the copy, the field whose column replaces it upstream, and the kinds of findings.
CHANGES: dict[str, tuple[models.Field, models.Field, list[str]]] = {
    "a longer text": (char(max_length=9), char(max_length=20), ["arguments"]),
    "a text without a limit": (char(max_length=9), text(), ["arguments"]),
    "a wider number": (integer(), models.BigIntegerField(), []),
    "a number that becomes a text": (integer(), char(max_length=9), ["type"]),
    "a text that becomes a number": (char(max_length=9), integer(), ["type"]),
    "a date that gets a time": (models.DateField(), models.DateTimeField(), ["type"]),
    "a number that becomes a float": (integer(), models.FloatField(), ["type"]),
    "NULL is allowed": (integer(), integer(null=True), ["null"]),
    "NULL is no longer allowed": (integer(null=True), integer(), ["not null"]),
}


class DriftTests(SchemaTestCase):
    databases = {"mirror"}

    def make(self, model: type[models.Model]) -> None:
        with connections["mirror"].schema_editor() as editor:
            editor.create_model(model)
        self.addCleanup(self.change, lambda editor: editor.delete_model(model))

    def change(self, statement: Callable[[Any], object]) -> None:
        with connections["mirror"].schema_editor() as editor:
            statement(editor)

    def found(self, model: type[models.Model]) -> list[Finding]:
        connection = connections["mirror"]
        table = read_columns(connection, ["drift_thing"]).get("drift_thing")
        return list(compare(model, table, connection.vendor))

    def test_every_field_of_django_fits_the_column_django_creates(self):
        for options in ({}, {"null": True}):
            model = model_of(**every_field(**options))
            self.make(model)
            self.assertEqual(self.found(model), [])
            self.doCleanups()

    def test_changes_of_a_column_are_found_if_they_matter(self):
        for name, (before, after, expected) in CHANGES.items():
            model = model_of(x=before)
            after.set_attributes_from_name("x")
            with self.subTest(name):
                self.make(model)
                self.change(
                    lambda editor, model=model, after=after: editor.alter_field(
                        model, model._meta.get_field("x"), after
                    )
                )
                self.assertEqual(kinds(self.found(model)), expected)
            self.doCleanups()

    def test_a_view_may_replace_a_table(self):
        model = model_of(x=integer())
        self.change(lambda editor: editor.execute("CREATE VIEW drift_thing AS SELECT 1 AS id, 2 AS x"))
        self.addCleanup(self.change, lambda editor: editor.execute("DROP VIEW drift_thing"))
        self.assertEqual([each for each in self.found(model) if each.kind != "unknown type"], [])

    def layer_models_only(self) -> None:
        """Compare the models of the test apps: a project's own copies may be unmanaged, and so have no tables here."""
        layer = [model for model in models_of("mirror") if model._meta.app_label.startswith(LAYER)]
        self.enterContext(mock.patch.object(drift, "models_of", return_value=layer))

    def test_command_and_check_find_nothing_in_the_test_database(self):
        self.layer_models_only()
        output = StringIO()
        call_command("check_mirror", stdout=output)
        self.assertRegex(output.getvalue(), r"^Models: \d+\. Errors: 0\. Other differences: 0\.\n$")
        self.assertEqual(ids(["mirror"]), [])

    def test_command_and_check_name_what_is_missing(self):
        self.layer_models_only()
        rename = ("layer_people_member", "renamed_member")
        self.change(lambda editor: editor.alter_db_table(Member, *rename))
        self.addCleanup(self.change, lambda editor: editor.alter_db_table(Member, *reversed(rename)))
        output = StringIO()
        with self.assertRaisesMessage(CommandError, "layer_people.Member") as caught:
            call_command("check_mirror", json=True, stdout=output)
        self.assertEqual(caught.exception.returncode, 1)
        (finding,) = json.loads(output.getvalue())["findings"]
        self.assertEqual(
            (finding["level"], finding["kind"], finding["model"]), ("error", "missing table", "layer_people.Member")
        )
        self.assertEqual(ids(["mirror"]), ["databases.E007"])
        self.assertEqual(ids(["default"]), [])
        self.assertEqual(ids(None), [])


def ids(databases: list[str] | None) -> list[str]:
    """Run all checks, and return the ids of the mirror's messages."""
    found = checks.run_checks(include_deployment_checks=True, databases=databases)
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
        self.assertRegex(
            process.stderr, r"^CommandError: The list of tables of the mirror could not be read \(\w+\)\.\n$"
        )
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
