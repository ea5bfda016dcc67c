"""Whether drift is found: changes of tables are made for real, on the engine that this project has."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connections, models
from django.test import SimpleTestCase, TransactionTestCase

from accounts.models import Member, Organisation
from databases.connections import ENGINES
from databases.mirror.drift import Finding, compare
from databases.mirror.upstream import read_columns

from . import production
from .test_mirror_comparison import char, integer, kinds, model_of, text


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


#: A field as it is copied, what its column becomes upstream, and what is found then.
CHANGES: dict[str, tuple[models.Field, models.Field, list[str]]] = {
    "a longer text": (char(max_length=9), char(max_length=20), ["arguments"]),
    "a text without an end": (char(max_length=9), text(), ["arguments"]),
    "a wider number": (integer(), models.BigIntegerField(), []),
    "a number that becomes a text": (integer(), char(max_length=9), ["type"]),
    "a text that becomes a number": (char(max_length=9), integer(), ["type"]),
    "a date that gets a time": (models.DateField(), models.DateTimeField(), ["type"]),
    "a number that becomes a float": (integer(), models.FloatField(), ["type"]),
    "NULL is allowed": (integer(), integer(null=True), ["null"]),
    "NULL is not allowed any more": (integer(null=True), integer(), ["not null"]),
}


class DriftTests(TransactionTestCase):
    databases = {"default", "mirror"}

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

    def test_every_field_of_django_fits_the_column_that_django_makes_for_it(self):
        for options in ({}, {"null": True}):
            model = model_of(**every_field(**options))
            self.make(model)
            self.assertEqual(self.found(model), [])
            self.doCleanups()

    def test_changes_of_a_column_are_found_where_they_matter(self):
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

    def test_a_view_may_stand_for_a_table(self):
        model = model_of(x=integer())
        self.change(lambda editor: editor.execute("CREATE VIEW drift_thing AS SELECT 1 AS id, 2 AS x"))
        self.addCleanup(self.change, lambda editor: editor.execute("DROP VIEW drift_thing"))
        self.assertEqual([each for each in self.found(model) if each.kind != "unknown type"], [])

    def test_the_command_and_the_check_find_nothing_in_the_test_database(self):
        output = StringIO()
        call_command("check_mirror", stdout=output)
        self.assertRegex(output.getvalue(), r"^\d+ models, 0 errors, 0 to know of\.\n$")
        self.assertEqual(ids(["mirror"]), [])

    def test_the_command_and_the_check_name_what_is_missing(self):
        rename = ("accounts_member", "renamed_member")
        self.change(lambda editor: editor.alter_db_table(Member, *rename))
        self.addCleanup(self.change, lambda editor: editor.alter_db_table(Member, *reversed(rename)))
        output = StringIO()
        with self.assertRaisesMessage(CommandError, "accounts.Member") as caught:
            call_command("check_mirror", json=True, stdout=output)
        self.assertEqual(caught.exception.returncode, 1)
        (finding,) = json.loads(output.getvalue())["findings"]
        self.assertEqual(
            (finding["level"], finding["kind"], finding["model"]), ("error", "missing table", "accounts.Member")
        )
        self.assertEqual(ids(["mirror"]), ["databases.E007"])
        self.assertEqual(ids(["default"]), [])
        self.assertEqual(ids(None), [])


def ids(databases: list[str] | None) -> list[str]:
    found = checks.run_checks(include_deployment_checks=True, databases=databases)
    return [each.id for each in found if each.id.startswith("databases.")]


class UnreadableTests(SimpleTestCase):
    """A mirror that is down, asked by processes that are no tests."""

    def test_it_is_said_without_the_secrets_of_its_address(self):
        engine = connections.settings["mirror"]["ENGINE"]
        scheme = next(scheme for scheme, each in ENGINES.items() if each == engine)
        server = "/nowhere" if scheme == "sqlite" else "someone:hidden@127.0.0.1:1"
        url = f"{scheme}://{server}/hidden"
        process = production.command("check_mirror", "--json", MIRROR_DATABASE_URL=url)
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        self.assertRegex(
            process.stderr, r"^CommandError: The list of tables of the mirror could not be read \(\w+\)\.\n$"
        )
        # Asked by itself: of a server that is down MySQL's own checks in Django make a traceback.
        code = "import json; from databases.mirror.checks import check_drift\nfound = check_drift(None, ['mirror'])\n"
        code += "print(json.dumps([(each.id, each.level, each.msg) for each in found]))"
        ((found, level, message),) = production.run(code, MIRROR_DATABASE_URL=url)
        self.assertEqual((found, level), ("databases.W002", checks.WARNING))
        self.assertNotIn("hidden", message)

    def test_no_other_check_asks_it(self):
        commands = production.Commands()
        self.addCleanup(commands.close)
        for words in (("check",), ("check", "--deploy"), ("check", "--deploy", "--database", "default")):
            with self.subTest(words):
                self.assertNotIn("W002", commands.run(*words).stderr)
