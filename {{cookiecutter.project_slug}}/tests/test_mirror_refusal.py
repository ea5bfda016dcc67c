"""In production nothing writes to the mirror. Every attempt is made in a process of its own, on real rows.

The process is given the mirror's test database as the mirror of its environment: a database that could be written.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connections, router, transaction
from django.test import TestCase
from django.test.utils import setup_test_environment

from accounts.models import Member, Organisation
from databases.external import models_of
from databases.testing.mode import is_test_database
from materials.models import Material, Subject

from . import production


def raw(sql: str, *parameters: str) -> None:
    with connections["mirror"].cursor() as cursor:
        cursor.execute(sql, parameters)


def raw_insert() -> None:
    raw("INSERT INTO accounts_organisation (name) VALUES (%s)", "hidden")


def after_a_reconnect() -> None:
    raw("SELECT 1")
    connections["mirror"].close()
    raw_insert()


def in_a_thread(attempt: Callable[[], object]) -> None:
    errors: list[Exception] = []

    def work() -> None:
        try:
            attempt()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    for error in errors:
        raise error


def first() -> Organisation:
    return Organisation.objects.earliest("pk")


def add_subject() -> None:
    Material.objects.using("mirror").earliest("pk").subjects.add(Subject.objects.latest("pk"))


BY_THE_ROUTER: dict[str, Callable[[], object]] = {
    "save": lambda: first().save(),
    "create": lambda: Organisation.objects.create(name="hidden"),
    "update": lambda: Organisation.objects.update(name="hidden"),
    "delete": lambda: Organisation.objects.all().delete(),
    "delete of an object": lambda: Member.objects.earliest("pk").delete(),
    "bulk_create": lambda: Organisation.objects.bulk_create([Organisation(name="hidden")]),
    "add to a relation": add_subject,
}
BY_THE_SESSION: dict[str, Callable[[], object]] = {
    "save(using=)": lambda: first().save(using="mirror"),
    "create with using()": lambda: Organisation.objects.using("mirror").create(name="hidden"),
    "update with using()": lambda: Organisation.objects.using("mirror").update(name="hidden"),
    "delete with using()": lambda: Member.objects.using("mirror").all().delete(),
    "bulk_create with using()": lambda: Organisation.objects.using("mirror").bulk_create([Organisation(name="hidden")]),
    "raw insert": raw_insert,
    "raw update": lambda: raw("UPDATE accounts_organisation SET name = %s", "hidden"),
    "raw insert without spaces": lambda: raw("INSERT INTO accounts_organisation(name)VALUES('hidden')"),
    "raw definition": lambda: raw("CREATE TABLE ours (hidden INTEGER)"),
    "raw drop": lambda: raw("DROP TABLE materials_section"),
    "raw insert after a reconnect": after_a_reconnect,
    "raw insert in a thread": lambda: in_a_thread(raw_insert),
    "raw insert in an async view": lambda: asyncio.run(sync_to_async(raw_insert)()),
}
COMMANDS: dict[str, Callable[[], object]] = {
    "migrate": lambda: call_command("migrate", database="mirror", verbosity=0),
    "flush": lambda: call_command("flush", database="mirror", interactive=False),
    "loaddata": lambda: call_command("loaddata", "mirror", database="mirror", verbosity=0),
}
#: They leave the transaction that a test rolls back: in MySQL every definition does.
NOT_IN_A_TRANSACTION = {
    name for name in BY_THE_SESSION if name.endswith(("reconnect", "thread", "view", "definition", "drop"))
}
ALL = {**BY_THE_ROUTER, **BY_THE_SESSION, **COMMANDS}


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "done"


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
    outcomes = {name: outcome(attempt) for name, attempt in ALL.items()}
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
        self.assertEqual(self.report["contents"], contents())
        self.assertIn("Aperture Science", contents()[-1])

    def test_the_mirror_is_no_test_database_whatever_flags_are_set(self):
        self.assertEqual(self.report["facts"], {"is a test database": False, "takes tables": False})

    def test_the_router_refuses_and_names_model_alias_and_way_out(self):
        for name in BY_THE_ROUTER:
            with self.subTest(name):
                self.assertRegex(self.outcomes[name], r"^MirrorWriteError: (accounts|materials)\.\w+ lives in 'mirror'")
                self.assertIn("Write it there, or keep your own data in a model of your own", self.outcomes[name])

    def test_the_session_refuses_what_the_router_never_sees(self):
        for name in BY_THE_SESSION:
            with self.subTest(name):
                self.assertRegex(self.outcomes[name], "^MirrorWriteError: The session on 'mirror' is read-only")

    def test_raw_insert_on_the_mirror_is_refused_in_another_thread(self):
        self.assertIn("refused: INSERT INTO accounts_organisation …", self.outcomes["raw insert in a thread"])

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
        for name in {**BY_THE_ROUTER, **BY_THE_SESSION}:
            if name in NOT_IN_A_TRANSACTION:
                continue
            with self.subTest(name), transaction.atomic(using="mirror"):
                self.assertEqual(outcome(ALL[name]), "done")
                transaction.set_rollback(True, using="mirror")
