"""In production nothing writes to the mirror. One process makes every attempt, on real rows.

Its environment names the mirror's test database as the mirror: a database whose user may write.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import connections, router, transaction
from django.test import TestCase
from django.test.utils import setup_test_environment

from databases.foreign.mode import is_test_database
from databases.mirror.tests.mirror_attempts import ORM, RAW, USING, outcome
from databases.mirror.tests.mirror_statements_of_engines import OF_ENGINE, all_attempts
from databases.mirror.tests.people.models import Organisation
from databases.registry import models_of
from databases.testing.settings import LAYER
from databases.tests import production

COMMANDS: dict[str, Callable[[], object]] = {
    "migrate": lambda: call_command("migrate", database="mirror", verbosity=0),
    "flush": lambda: call_command("flush", database="mirror", interactive=False),
    "loaddata": lambda: call_command("loaddata", "mirror", database="mirror", verbosity=0),
}
#: Django's execute wrappers do not see these: the session refuses them, with the driver's message.
BY_THE_SESSION = {"by the driver's own cursor", "a function that writes, by a server-side cursor"}


def in_nested_transactions() -> None:
    with transaction.atomic(using="mirror"):
        with connections["mirror"].cursor() as cursor:
            if connections["mirror"].vendor == "postgresql":
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with suppress(ZeroDivisionError), transaction.atomic(using="mirror"):
            list(Organisation.objects.iterator())
            raise ZeroDivisionError
        with transaction.atomic(using="mirror"):
            list(Organisation.objects.all())


def introspected() -> None:
    introspection, tables = connections["mirror"].introspection, {model._meta.db_table for model in models_of("mirror")}
    with connections["mirror"].cursor() as cursor:
        for table in tables.intersection(introspection.table_names(cursor, include_views=True)):
            for read in ("table_description", "relations", "primary_key_columns", "sequences", "constraints"):
                getattr(introspection, f"get_{read}")(cursor, table)
    call_command("inspectdb", "layer_people_member", database="mirror", stdout=StringIO())


def explained() -> None:
    features = connections["mirror"].features
    # SQLite has no such option.
    for analyze in ({}, {"analyze": True})[: 1 + (connections["mirror"].vendor != "sqlite")]:
        Organisation.objects.all().explain(**analyze)
        for form in features.supported_explain_formats & {"JSON", "TEXT"}:
            Organisation.objects.all().explain(format=form, **analyze)


def read_again_after_close() -> None:
    for _ in range(2):
        list(Organisation.objects.all())
        connections["mirror"].close()


#: What Django sends of itself: the guard must let it pass.
READS: dict[str, Callable[[], object]] = {
    "transactions": in_nested_transactions,
    "introspection": introspected,
    "explain()": explained,
    "a new session": read_again_after_close,
}


def contents() -> list[Any]:
    """Return the mirror's tables, and the rows of the test apps' models."""
    models = [model for model in models_of("mirror") if model._meta.app_label.startswith(LAYER)]
    rows = [sorted(model._base_manager.using("mirror").values_list("pk", flat=True)) for model in models]
    names = sorted(Organisation.objects.values_list("name", flat=True))
    return [sorted(connections["mirror"].introspection.table_names()), rows, names]


def report() -> None:
    """Print the outcome of each attempt, and the contents of the mirror afterwards.

    This runs in production, in a process that looks like a test run in every other way.
    """
    sys.argv = ["manage.py", "loaddata", "test"]
    setup_test_environment()
    attempts = {**all_attempts(connections["mirror"].vendor), **COMMANDS, **READS}
    outcomes = {name: outcome(attempt) for name, attempt in attempts.items()}
    call_command("migrate", "layer_notebook", verbosity=0)
    facts = {
        "is a test database": is_test_database("mirror"),
        "takes tables": router.allow_migrate("mirror", "layer_people"),
    }
    print(json.dumps({"outcomes": outcomes, "contents": contents(), "facts": facts}))


class RefusalTests(TestCase):
    databases = {"mirror"}

    @classmethod
    def setUpClass(cls):
        # Before the attempts, which use this same database, and before the class's transaction, whose locks they would
        # wait for.
        cls.before = contents()
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        environment = {
            "DATABASE_URL": f"sqlite:///{folder.name}/primary.sqlite3",
            "MIRROR_DATABASE_URL": production.url_of("mirror", folder.name),
            **dict.fromkeys(("TESTING", "PYTEST_CURRENT_TEST", "PYTEST_VERSION"), "1"),
        }
        cls.report = production.run("from databases.mirror.tests.test_refusal import report; report()", **environment)
        cls.outcomes = cls.report["outcomes"]

    def test_the_mirror_is_unchanged(self):
        self.assertEqual(self.report["contents"], self.before)
        self.assertIn("Aperture Science", self.before[-1])

    def test_flags_do_not_make_the_mirror_a_test_database(self):
        self.assertEqual(self.report["facts"], {"is a test database": False, "takes tables": False})

    def test_the_router_refuses_and_names_model_alias_and_cure(self):
        for name in ORM:
            with self.subTest(name):
                self.assertRegex(
                    self.outcomes[name], r"^MirrorWriteError: layer_(people|library)\.\w+ lives in 'mirror'"
                )
                self.assertIn("Write it there, or keep your own data in a model of your own", self.outcomes[name])

    def test_writes_past_the_router_are_refused_and_named(self):
        for name in {**USING, **RAW, **OF_ENGINE[connections["mirror"].vendor]}:
            with self.subTest(name):
                self.assertNotEqual(self.outcomes[name], "done")
                if name not in BY_THE_SESSION:
                    self.assertRegex(self.outcomes[name], r"^MirrorWriteError: Refused on 'mirror', because .+: .+ …")

    def test_raw_insert_on_the_mirror_is_refused_in_another_thread(self):
        self.assertIn("INSERT INTO layer_people_organisation …", self.outcomes["in another thread"])

    def test_what_django_sends_to_read_is_not_refused(self):
        self.assertEqual({name: self.outcomes[name] for name in READS}, dict.fromkeys(READS, "done"))

    def test_no_refusal_quotes_a_value(self):
        self.assertNotIn("hidden", str(self.outcomes))

    def test_commands_are_refused_before_anything_is_sent(self):
        for name in COMMANDS:
            with self.subTest(name):
                self.assertRegex(self.outcomes[name], f"^CommandError: {name} on 'mirror' is refused: another app")


class NegativeControlTests(TestCase):
    """The same attempts succeed on a test database, so the refusals above are not errors of the attempts."""

    databases = {"mirror"}

    def test_the_attempts_succeed_on_the_test_database(self):
        in_a_transaction = {"`INSERT`", "`UPDATE`", "`DELETE`", "`executemany()`", "inside `atomic()`"}
        for name, attempt in {**ORM, **USING, **RAW}.items():
            if name in {"`acreate()`", *RAW} - in_a_transaction:
                continue
            with self.subTest(name), transaction.atomic(using="mirror"):
                attempt()
                transaction.set_rollback(True, using="mirror")
