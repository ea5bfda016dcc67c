"""A write that no transaction covers fails in development and tests, instead of surviving a rollback."""

from unittest import mock

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connections, models, transaction
from django.db.models.signals import post_save
from django.db.transaction import TransactionManagementError
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.test.utils import isolate_apps

from databases import transactions
from databases.environment import SQLITE
from databases.tests import production
from databases.tests.notebook.models import Note
from databases.tests.roles import ROLES, aliases_of, model_of
from databases.tests.users import make_superuser

#: A second database, which only these tests have.
ELSEWHERE = "elsewhere"
#: A database of each role but the primary, with a model that lives there.
OTHERS = {min(aliases_of(role)): model_of(role) for role in ROLES}


@isolate_apps()
def model() -> type[models.Model]:
    """Return a model of no installed app: a test makes its table."""
    meta = type("Meta", (), {"app_label": "layer_notebook", "db_table": "layer_thing"})
    name = models.CharField(max_length=20)
    return type("Thing", (models.Model,), {"name": name, "Meta": meta, "__module__": __name__})


Thing = model()


def raw() -> None:
    with connections[ELSEWHERE].cursor() as cursor:
        cursor.execute("  INSERT INTO layer_thing (name) VALUES ('raw')")


#: Every way to write, to a table with one row.
WRITES = {
    "save": lambda: Thing(name="new").save(using=ELSEWHERE),
    "save of a row": lambda: Thing.objects.using(ELSEWHERE).get().save(using=ELSEWHERE),
    "create": lambda: Thing.objects.using(ELSEWHERE).create(name="new"),
    "bulk_create": lambda: Thing.objects.using(ELSEWHERE).bulk_create([Thing(name="new")]),
    "update": lambda: Thing.objects.using(ELSEWHERE).update(name="new"),
    "delete": lambda: Thing.objects.using(ELSEWHERE).all().delete(),
    "delete of a row": lambda: Thing.objects.using(ELSEWHERE).get().delete(using=ELSEWHERE),
    "raw": raw,
}


class WithAnotherDatabase:
    """Has the second database, with a table of one row in it."""

    def setUp(self):
        entry = connections.configure_settings({"default": {}, ELSEWHERE: {"ENGINE": SQLITE, "NAME": ":memory:"}})
        declared = mock.patch.dict(connections.settings, {ELSEWHERE: entry[ELSEWHERE]})
        declared.start()
        self.addCleanup(declared.stop)
        self.addCleanup(self.close)
        # Django lets a test open connections only to the databases that its class names.
        connections[ELSEWHERE].connect()
        with connections[ELSEWHERE].schema_editor() as editor:
            editor.create_model(Thing)
        Thing.objects.using(ELSEWHERE).create(name="old")

    def close(self):
        connections[ELSEWHERE].close()
        del connections[ELSEWHERE]

    def names(self) -> list[str]:
        return list(Thing.objects.using(ELSEWHERE).order_by("pk").values_list("name", flat=True))

    def refused(self, alias: str, other: str):
        message = f"A write to {alias!r} inside atomic() on {other!r} would survive its rollback."
        return self.assertRaisesMessage(TransactionManagementError, message)


class UncoveredWriteTests(WithAnotherDatabase, TransactionTestCase):
    def test_a_write_inside_atomic_on_another_database_alone_fails_and_names_both(self):
        for name, write in WRITES.items():
            with self.subTest(name):
                with self.refused(ELSEWHERE, "default"), transaction.atomic():
                    write()
                self.assertEqual(self.names(), ["old"])

    def test_a_write_to_the_primary_inside_atomic_on_another_database_alone_fails(self):
        with self.refused("default", ELSEWHERE), transaction.atomic(using=ELSEWHERE):
            Note.objects.create(text="not to stay")
        self.assertFalse(Note.objects.exists())

    def test_a_write_in_its_own_transaction_passes_and_is_rolled_back(self):
        for name, write in WRITES.items():
            with self.subTest(name):
                with self.assertRaises(ZeroDivisionError), transaction.atomic(using=ELSEWHERE):
                    write()
                    1 / 0  # noqa: B018
                self.assertEqual(self.names(), ["old"])

    def test_with_both_transactions_open_writes_pass_in_either_order(self):
        with transaction.atomic(), transaction.atomic(using=ELSEWHERE):
            Thing.objects.using(ELSEWHERE).update(name="inner")
            Note.objects.create(text="outer")
        with transaction.atomic(using=ELSEWHERE), transaction.atomic():
            Thing.objects.using(ELSEWHERE).create(name="outer")
            Note.objects.create(text="inner")
        self.assertEqual(self.names(), ["inner", "outer"])
        self.assertEqual(Note.objects.count(), 2)

    def test_without_a_transaction_writes_pass(self):
        Thing.objects.using(ELSEWHERE).update(name="new")
        self.assertEqual(self.names(), ["new"])

    def test_reads_inside_atomic_on_another_database_pass(self):
        with transaction.atomic():
            self.assertEqual(self.names(), ["old"])

    def test_the_admin_may_log_what_it_changes_in_another_database(self):
        user = make_superuser()
        with transaction.atomic(using=ELSEWHERE):
            LogEntry.objects.create(user=user, object_repr="a row", action_flag=CHANGE)
        self.assertEqual(LogEntry.objects.count(), 1)

    def test_without_the_detector_the_row_survives_the_rollback(self):
        unwatched = mock.patch.object(connections[ELSEWHERE], "execute_wrappers", [])
        with unwatched, self.assertRaises(ZeroDivisionError), transaction.atomic():
            Thing.objects.using(ELSEWHERE).create(name="survives")
            1 / 0  # noqa: B018
        self.assertEqual(self.names(), ["old", "survives"])


class MethodsWithATransactionTests(WithAnotherDatabase, TransactionTestCase):
    """`get_or_create()` and `update_or_create()` open a transaction, which looks like one of yours."""

    CALLS = {
        "get_or_create": lambda: Thing.objects.using(ELSEWHERE).get_or_create(name="new"),
        "update_or_create, new": lambda: Thing.objects.using(ELSEWHERE).update_or_create(name="new"),
        "update_or_create": lambda: Thing.objects.using(ELSEWHERE).update_or_create(
            name="old", defaults={"name": "changed"}
        ),
    }

    def test_inside_atomic_on_another_database_alone_they_fail(self):
        for name, call in self.CALLS.items():
            with self.subTest(name), self.refused(ELSEWHERE, "default"), transaction.atomic():
                call()
        self.assertEqual(self.names(), ["old"])

    def test_those_that_need_not_write_pass(self):
        with transaction.atomic():
            Thing.objects.using(ELSEWHERE).get_or_create(name="old")

    def test_with_both_transactions_open_they_pass(self):
        for name, call in self.CALLS.items():
            with self.subTest(name), transaction.atomic(), transaction.atomic(using=ELSEWHERE):
                call()

    def test_they_count_as_no_transaction_around_a_write_elsewhere(self):
        # Their own transaction on the primary is not one that seems to cover the write of a receiver.
        def write(**kwargs: object) -> None:
            Thing.objects.using(ELSEWHERE).create(name="of a receiver")

        post_save.connect(write, sender=Note)
        self.addCleanup(post_save.disconnect, write, sender=Note)
        Note.objects.get_or_create(text="new")
        self.assertEqual(self.names(), ["old", "of a receiver"])
        with self.refused(ELSEWHERE, "default"), transaction.atomic():
            Note.objects.get_or_create(text="newer")

    def test_in_its_own_transaction_a_receiver_may_call_them(self):
        def write(**kwargs: object) -> None:
            with transaction.atomic(using=ELSEWHERE):
                Thing.objects.using(ELSEWHERE).create(name="of a receiver")

        post_save.connect(write, sender=Note)
        self.addCleanup(post_save.disconnect, write, sender=Note)
        with transaction.atomic():
            Note.objects.get_or_create(text="new")
        self.assertEqual(self.names(), ["old", "of a receiver"])


class InsideATestCaseTests(WithAnotherDatabase, TestCase):
    databases = {"default", *OTHERS}

    def deletions(self) -> dict[str, models.QuerySet]:
        """Return rows of each database but the primary. Deleting none of them is a write, too."""
        return {
            ELSEWHERE: Thing.objects.using(ELSEWHERE),
            **{alias: model._base_manager.using(alias) for alias, model in OTHERS.items()},
        }

    def test_the_transactions_of_the_test_case_itself_do_not_count(self):
        for alias, rows in self.deletions().items():
            rows.extra(where=["1 = 0"])._raw_delete(alias)

    def test_those_that_a_test_opens_do(self):
        for alias, rows in self.deletions().items():
            with self.refused(alias, "default"), transaction.atomic():
                # Not delete(): it sends nothing if other rows might depend on rows that are not there.
                rows.extra(where=["1 = 0"])._raw_delete(alias)


class SettingTests(SimpleTestCase):
    def wrappers(self) -> list:
        connection = mock.Mock(execute_wrappers=[])
        for _ in range(2):
            transactions._watch(connection)
        return connection.execute_wrappers

    def test_a_connection_is_watched_once_if_the_setting_says_so(self):
        self.assertEqual(len(self.wrappers()), 1)
        with override_settings(DETECT_UNCOVERED_WRITES=False):
            self.assertEqual(self.wrappers(), [])

    def test_it_is_on_in_development_and_off_in_production(self):
        for debug, expected in (("on", True), ("off", False)):
            with self.subTest(debug=debug):
                self.assertIs(production.own_settings(DEBUG=debug)["DETECT_UNCOVERED_WRITES"], expected)
