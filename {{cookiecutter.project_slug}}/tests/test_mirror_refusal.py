"""In production nothing writes to the mirror. Every attempt is made in a process of its own, on real rows.

The process is given the mirror's test database as the mirror of its environment: a database that could be written.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.db import connections, router, transaction
from django.test import TestCase
from django.test.utils import setup_test_environment

from accounts.models import Organisation
from databases.external import models_of
from databases.testing.mode import is_test_database

from . import production
from .mirror_attempts import ORM, RAW, USING, outcome
from .mirror_statements_of_engines import OF_ENGINE, all_attempts

COMMANDS: dict[str, Callable[[], object]] = {
    "migrate": lambda: call_command("migrate", database="mirror", verbosity=0),
    "flush": lambda: call_command("flush", database="mirror", interactive=False),
    "loaddata": lambda: call_command("loaddata", "mirror", database="mirror", verbosity=0),
}
#: Django's wrappers do not see these: the session refuses them, in the driver's words.
BY_THE_SESSION = {"by the driver's own cursor", "a function that writes, by a server-side cursor"}


def contents() -> list[Any]:
    """Return the mirror's tables and the rows of its models."""
    rows = [sorted(model._base_manager.using("mirror").values_list("pk", flat=True)) for model in models_of("mirror")]
    names = sorted(Organisation.objects.values_list("name", flat=True))
    return [sorted(connections["mirror"].introspection.table_names()), rows, names]


def report() -> None:
    """Print what became of each attempt, and what the mirror then held.

    This runs in production, in a process that looks as much like a test run as can be.
    """
    sys.argv = ["manage.py", "loaddata", "test"]
    setup_test_environment()
    attempts = {**all_attempts(connections["mirror"].vendor), **COMMANDS}
    outcomes = {name: outcome(attempt) for name, attempt in attempts.items()}
    call_command("migrate", verbosity=0)
    facts = {
        "is a test database": is_test_database("mirror"),
        "takes tables": router.allow_migrate("mirror", "accounts"),
    }
    print(json.dumps({"outcomes": outcomes, "contents": contents(), "facts": facts}))


class RefusalTests(TestCase):
    databases = {"mirror"}

    @classmethod
    def setUpClass(cls):
        # Before the attempts, which are made on this very database, and before the transaction, whose locks they would
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
        cls.report = production.run("from tests.test_mirror_refusal import report; report()", **environment)
        cls.outcomes = cls.report["outcomes"]

    def test_the_mirror_holds_what_it_held_before(self):
        self.assertEqual(self.report["contents"], self.before)
        self.assertIn("Aperture Science", self.before[-1])

    def test_the_mirror_is_no_test_database_whatever_flags_are_set(self):
        self.assertEqual(self.report["facts"], {"is a test database": False, "takes tables": False})

    def test_the_router_refuses_and_names_model_alias_and_way_out(self):
        for name in ORM:
            with self.subTest(name):
                self.assertRegex(self.outcomes[name], r"^MirrorWriteError: (accounts|materials)\.\w+ lives in 'mirror'")
                self.assertIn("Write it there, or keep your own data in a model of your own", self.outcomes[name])

    def test_what_the_router_never_sees_is_refused_and_named(self):
        for name in {**USING, **RAW, **OF_ENGINE[connections["mirror"].vendor]}:
            with self.subTest(name):
                self.assertNotEqual(self.outcomes[name], "done")
                if name not in BY_THE_SESSION:
                    self.assertRegex(self.outcomes[name], r"^MirrorWriteError: Refused on 'mirror', because .+: .+ …")

    def test_raw_insert_on_the_mirror_is_refused_in_another_thread(self):
        self.assertIn("INSERT INTO accounts_organisation …", self.outcomes["in another thread"])

    def test_no_refusal_quotes_a_value(self):
        self.assertNotIn("hidden", str(self.outcomes))

    def test_commands_are_refused_before_anything_is_sent(self):
        for name in COMMANDS:
            with self.subTest(name):
                self.assertRegex(self.outcomes[name], f"^CommandError: {name} on 'mirror' is refused: another app")


class NegativeControlTests(TestCase):
    """The same attempts write where they may: it is no mistake of theirs that they are refused above."""

    databases = {"mirror"}

    def test_the_attempts_succeed_on_the_test_database(self):
        in_a_transaction = {"`INSERT`", "`UPDATE`", "`DELETE`", "`executemany()`", "inside `atomic()`"}
        for name, attempt in {**ORM, **USING, **RAW}.items():
            if name in {"`acreate()`", *RAW} - in_a_transaction:
                continue
            with self.subTest(name), transaction.atomic(using="mirror"):
                attempt()
                transaction.set_rollback(True, using="mirror")
