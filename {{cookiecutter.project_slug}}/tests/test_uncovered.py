"""A write that a transaction only seems to cover fails in development and tests, instead of surviving a rollback."""

from unittest import mock

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import connections, models, transaction
from django.db.transaction import TransactionManagementError
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.test.utils import isolate_apps

from databases import uncovered
from databases.external import load, models_of
from databases.roles import PRIMARY, role_of_alias
from notes.models import Note

from . import production

ROLES = sorted(set(load().models.values()) - {PRIMARY})
#: A database of each role but the primary.
ALIASES = [next(alias for alias in connections if role_of_alias(alias) == role) for role in ROLES]


@isolate_apps("notes")
def model_of(alias: str) -> type[models.Model]:
    """Return a new model whose table can be in this database."""
    label = models_of(role_of_alias(alias))[0]._meta.app_label
    meta = type("Meta", (), {"app_label": label, "db_table": "uncovered_thing"})
    name = models.CharField(max_length=20)
    return type("Thing", (models.Model,), {"name": name, "Meta": meta, "__module__": __name__})


def raw(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("  INSERT INTO uncovered_thing (name) VALUES (%s)", ["raw"])


#: Every way to write, given an alias and a model that has one row there.
WRITES = {
    "save": lambda alias, model: model(name="new").save(using=alias),
    "save of a row": lambda alias, model: model.objects.using(alias).get().save(using=alias),
    "create": lambda alias, model: model.objects.using(alias).create(name="new"),
    "bulk_create": lambda alias, model: model.objects.using(alias).bulk_create([model(name="new")]),
    "update": lambda alias, model: model.objects.using(alias).update(name="new"),
    "delete": lambda alias, model: model.objects.using(alias).all().delete(),
    "delete of a row": lambda alias, model: model.objects.using(alias).get().delete(using=alias),
    "raw": lambda alias, model: raw(alias),
}


class WithTables:
    databases = "__all__"

    def setUp(self):
        self.models = {alias: model_of(alias) for alias in ALIASES}
        for alias, model in self.models.items():
            with connections[alias].schema_editor() as editor:
                editor.create_model(model)
            self.addCleanup(self.drop, alias, model)
            model.objects.using(alias).create(name="old")

    def drop(self, alias: str, model: type[models.Model]) -> None:
        with connections[alias].schema_editor() as editor:
            editor.delete_model(model)

    def names(self, alias: str) -> list[str]:
        return list(self.models[alias].objects.using(alias).order_by("pk").values_list("name", flat=True))

    def refused(self, alias: str, other: str):
        message = f"A write to {alias!r} inside atomic() on {other!r} would survive its rollback."
        return self.assertRaisesMessage(TransactionManagementError, message)


class UncoveredWriteTests(WithTables, TransactionTestCase):
    def test_a_write_inside_atomic_on_another_database_alone_fails_and_names_both(self):
        for alias, model in self.models.items():
            for name, write in WRITES.items():
                with self.subTest(f"{name} on {alias}"):
                    with self.refused(alias, "default"), transaction.atomic():
                        write(alias, model)
                    self.assertEqual(self.names(alias), ["old"])

    def test_a_write_to_the_primary_inside_atomic_on_another_database_alone_fails(self):
        for alias in ALIASES:
            with self.refused("default", alias), transaction.atomic(using=alias):
                Note.objects.create(text="not to stay")
        self.assertFalse(Note.objects.exists())

    def test_a_write_in_its_own_transaction_passes_and_is_rolled_back(self):
        for alias, model in self.models.items():
            for name, write in WRITES.items():
                with self.subTest(f"{name} on {alias}"):
                    with self.assertRaises(ZeroDivisionError), transaction.atomic(using=alias):
                        write(alias, model)
                        1 / 0  # noqa: B018
                    self.assertEqual(self.names(alias), ["old"])

    def test_with_both_transactions_open_writes_pass_in_either_order(self):
        for alias, model in self.models.items():
            with transaction.atomic(), transaction.atomic(using=alias):
                model.objects.using(alias).update(name="inner")
                Note.objects.create(text=alias)
            with transaction.atomic(using=alias), transaction.atomic():
                model.objects.using(alias).create(name="outer")
            self.assertEqual(self.names(alias), ["inner", "outer"])
        self.assertEqual(Note.objects.count(), len(ALIASES))

    def test_without_a_transaction_writes_pass(self):
        for alias, model in self.models.items():
            model.objects.using(alias).update(name="new")
            self.assertEqual(self.names(alias), ["new"])

    def test_reads_inside_atomic_on_another_database_pass(self):
        with transaction.atomic():
            self.assertEqual([self.names(alias) for alias in ALIASES], [["old"]] * len(ALIASES))

    def test_the_admin_may_log_what_it_changes_in_another_database(self):
        user = User.objects.create_user("ann")
        with transaction.atomic(using=ALIASES[0]):
            LogEntry.objects.create(user=user, object_repr="a row", action_flag=CHANGE)
        self.assertEqual(LogEntry.objects.count(), 1)

    def test_without_the_detector_the_row_survives_the_rollback(self):
        for alias, model in self.models.items():
            unwatched = mock.patch.object(connections[alias], "execute_wrappers", [])
            with unwatched, self.assertRaises(ZeroDivisionError), transaction.atomic():
                model.objects.using(alias).create(name="survives")
                1 / 0  # noqa: B018
            self.assertEqual(self.names(alias), ["old", "survives"])


class InsideATestCaseTests(TestCase):
    databases = {"default", *ALIASES}

    def delete_all(self, alias: str) -> None:
        models_of(role_of_alias(alias))[0]._base_manager.using(alias).all().delete()

    def test_the_transactions_of_the_test_case_itself_do_not_count(self):
        for alias in ALIASES:
            self.delete_all(alias)

    def test_those_that_a_test_opens_do(self):
        for alias in ALIASES:
            with self.assertRaises(TransactionManagementError), transaction.atomic():
                self.delete_all(alias)


class SettingTests(SimpleTestCase):
    def wrappers(self) -> list:
        connection = mock.Mock(execute_wrappers=[])
        for _ in range(2):
            uncovered._watch(connection)
        return connection.execute_wrappers

    def test_a_connection_is_watched_once_if_the_setting_says_so(self):
        self.assertEqual(len(self.wrappers()), 1)
        with override_settings(DETECT_UNCOVERED_WRITES=False):
            self.assertEqual(self.wrappers(), [])

    def test_it_is_on_in_development_and_off_in_production(self):
        for debug, expected in (("on", True), ("off", False)):
            with self.subTest(debug=debug):
                self.assertIs(production.own_settings(DEBUG=debug)["DETECT_UNCOVERED_WRITES"], expected)
