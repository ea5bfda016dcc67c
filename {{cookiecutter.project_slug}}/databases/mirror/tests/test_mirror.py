"""In test mode the mirror is built from migrations and seeded once, and tests may write to it."""

from io import StringIO
from unittest import mock

from django.apps import apps
from django.core.management import call_command
from django.db import connections, models, router, transaction
from django.db.transaction import TransactionManagementError
from django.test import SimpleTestCase, TestCase
from django.test.utils import isolate_apps

from databases import atomic_for
from databases.foreign import apps as foreign_apps
from databases.foreign.apps import create_schemas
from databases.foreign.management.commands import flush
from databases.foreign.tests.schema_case import SchemaTestCase
from databases.mirror import MirrorModel
from databases.mirror.tests.library.models import Chapter, Collection, Material, Section
from databases.mirror.tests.people.models import Member, Organisation
from databases.registry import PRIMARY, models_of, role_of_model
from databases.report import report_on
from databases.testing.settings import LAYER
from databases.tests.notebook.models import Note


class HierarchyTests(TestCase):
    """The seeded rows of two apps and their relations are read."""

    databases = {"mirror"}

    def test_the_whole_hierarchy_is_seeded(self):
        section = Section.objects.get(body="Speedy thing comes out.")
        self.assertEqual(section.parent.body, "Speedy thing goes in.")
        self.assertEqual(section.chapter.title, "Momentum")
        self.assertEqual(section.chapter.material.title, "Thinking with portals")
        self.assertEqual(section.chapter.material.collection.title, "Portals")
        self.assertEqual(section.chapter.material.collection.parent.title, "Experiments")
        self.assertEqual(section.chapter.material.collection.parent.curator.name, "Horza")

    def test_queries_join_across_the_apps_of_the_mirror(self):
        sections = Section.objects.filter(
            chapter__material__collection__parent__curator__organisation__name="Vavatch Orbital"
        )
        self.assertEqual(sections.count(), 3)
        collection = Collection.objects.select_related("curator__organisation").get(title="Portals")
        self.assertEqual(collection.curator.organisation.name, "Aperture Science")

    def test_many_to_many_rows_are_seeded(self):
        material = Material.objects.prefetch_related("subjects").get(title="Thinking with portals")
        self.assertEqual({subject.name for subject in material.subjects.all()}, {"Physics", "Ethics"})

    def test_tests_may_write_to_it(self):
        organisation = Organisation.objects.create(name="Black Mesa")
        member = Member(organisation=organisation, name="Gordon", joined="1998-11-19")
        member.save(using="mirror")
        Material.objects.get(title="Consider phlebas").subjects.clear()
        with connections["mirror"].cursor() as cursor:
            cursor.execute("DELETE FROM layer_library_material_subjects")
        organisation.refresh_from_db()
        self.assertEqual(organisation.members.get(), member)
        self.assertFalse(Material.subjects.through.objects.exists())


class SchemaTests(SchemaTestCase):
    databases = {"mirror"}

    def drop(self) -> None:
        with connections["mirror"].cursor() as cursor:
            cursor.execute('DROP SCHEMA IF EXISTS "layer Schema" CASCADE')

    def test_tables_of_another_schema_are_built_and_flushed_in_a_test_database(self):
        if connections["mirror"].vendor == "postgresql":
            with isolate_apps("databases.mirror.tests.people"):

                class Elsewhere(MirrorModel):
                    organisation = models.ForeignKey(Organisation, models.DO_NOTHING, related_name="+")

                    class Meta:
                        app_label = "layer_people"
                        db_table = '"layer Schema"."elsewhere"'

                class Alone(MirrorModel):
                    class Meta:
                        app_label = "layer_people"
                        db_table = '"layer Schema"."alone"'

            self.addCleanup(self.drop)
            with mock.patch.object(foreign_apps, "models_of", return_value=[Elsewhere, Alone, Organisation]):
                # Both times, as in a database that was kept.
                for _ in range(2):
                    create_schemas("mirror")
            with connections["mirror"].schema_editor() as editor:
                editor.create_model(Elsewhere)
                editor.create_model(Alone)
            Elsewhere.objects.using("mirror").create(organisation_id=Organisation.objects.earliest("pk").pk)
            Alone.objects.using("mirror").create()
            with mock.patch.object(flush, "models_of", return_value=[Elsewhere, Alone, Organisation]):
                call_command("flush", database="mirror", interactive=False, verbosity=0)
            for model in (Elsewhere, Alone):
                self.assertFalse(model.objects.using("mirror").exists())
            self.assertTrue(Organisation.objects.exists())


class TransactionTests(TestCase):
    databases = {"default", "mirror"}

    def test_a_plain_atomic_around_a_write_to_the_mirror_is_an_error(self):
        with self.assertRaisesMessage(TransactionManagementError, "atomic_for(Model)"), transaction.atomic():
            Organisation.objects.create(name="Black Mesa")

    def test_atomic_for_a_mirrored_model_rolls_its_writes_back(self):
        with self.assertRaises(ZeroDivisionError), atomic_for(Organisation):
            Organisation.objects.create(name="Black Mesa")
            1 / 0  # noqa: B018
        self.assertFalse(Organisation.objects.filter(name="Black Mesa").exists())


class RoutingTests(SimpleTestCase):
    def test_mirrored_models_and_m2m_tables_are_read_from_the_mirror(self):
        for model in (Organisation, Member, Chapter, Material, Material.subjects.through):
            with self.subTest(model.__name__):
                self.assertEqual(router.db_for_read(model), "mirror")

    def test_other_models_are_read_from_the_primary(self):
        self.assertEqual(router.db_for_read(Note), "default")
        self.assertEqual(router.db_for_write(Note), "default")

    def test_mirrored_objects_may_be_related_to_mirrored_objects_only(self):
        self.assertTrue(router.allow_relation(Member(), Organisation()))
        self.assertFalse(router.allow_relation(Member(), Note()))
        self.assertFalse(router.allow_relation(Note(), Member()))

    def test_mirrored_models_have_the_base_class_of_the_role(self):
        self.assertTrue(all(issubclass(model, MirrorModel) for model in (Organisation, Section)))
        self.assertEqual(MirrorModel.database_role, "mirror")


class TableTests(TestCase):
    databases = {"default", "mirror"}

    def tables_of(self, alias: str) -> set[str]:
        return set(connections[alias].introspection.table_names())

    def test_mirrored_tables_are_in_the_mirror_and_not_in_the_primary(self):
        tables = {model._meta.db_table for model in models_of("mirror") if model._meta.app_label.startswith(LAYER)}
        self.assertIn("layer_library_material_subjects", tables)
        self.assertEqual(tables - self.tables_of("mirror"), set())
        self.assertEqual(tables & self.tables_of("default"), set())

    def test_tables_of_the_primary_are_not_in_the_mirror(self):
        primary = {
            model._meta.db_table
            for model in apps.get_models(include_auto_created=True)
            if role_of_model(model) == PRIMARY and model._meta.managed
        }
        self.assertIn("layer_notebook_note", primary)
        self.assertIn("layer_notebook_note", self.tables_of("default"))
        self.assertEqual(primary & self.tables_of("mirror"), set())

    def test_migrations_recorded_on_the_primary_are_explained(self):
        listed = StringIO()
        call_command("showmigrations", "layer_people", "layer_library", database="default", stdout=listed)
        self.assertEqual(listed.getvalue().count("[X] 0001_initial"), 2)
        primary, mirror = report_on("default").details, report_on("mirror").details
        for app in ("layer_people", "layer_library"):
            self.assertRegex(primary[app], r"^\d only recorded: its tables are in the mirror database$")
            self.assertRegex(mirror[app], r"^\d tables, made by their owner$")
