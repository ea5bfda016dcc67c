"""The mirror in test mode: another application's database, built and seeded once, and open to the tests' own writes."""

from io import StringIO

from django.core.management import call_command
from django.db import connections, router, transaction
from django.db.transaction import TransactionManagementError
from django.test import SimpleTestCase, TestCase

from accounts.models import Member, Organisation
from databases import atomic_for
from databases.external import models_of
from databases.mirror import MirrorModel
from materials.models import Chapter, Collection, Material, Section
from notes.models import Note


class HierarchyTests(TestCase):
    """A second application reads the first one's database."""

    databases = {"mirror"}

    def test_the_whole_hierarchy_is_there(self):
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

    def test_many_to_many_rows_are_there(self):
        material = Material.objects.prefetch_related("subjects").get(title="Thinking with portals")
        self.assertEqual({subject.name for subject in material.subjects.all()}, {"Physics", "Ethics"})

    def test_tests_may_write_to_it(self):
        organisation = Organisation.objects.create(name="Black Mesa")
        member = Member(organisation=organisation, name="Gordon", joined="1998-11-19")
        member.save(using="mirror")
        Material.objects.get(title="Consider phlebas").subjects.clear()
        with connections["mirror"].cursor() as cursor:
            cursor.execute("DELETE FROM materials_material_subjects")
        organisation.refresh_from_db()
        self.assertEqual(organisation.members.get(), member)
        self.assertFalse(Material.subjects.through.objects.exists())


class TransactionTests(TestCase):
    databases = {"default", "mirror"}

    def test_a_plain_atomic_does_not_cover_a_write_to_the_mirror_and_says_so(self):
        with self.assertRaisesMessage(TransactionManagementError, "atomic_for(Model)"), transaction.atomic():
            Organisation.objects.create(name="Black Mesa")

    def test_atomic_for_a_mirrored_model_rolls_its_writes_back(self):
        with self.assertRaises(ZeroDivisionError), atomic_for(Organisation):
            Organisation.objects.create(name="Black Mesa")
            1 / 0  # noqa: B018
        self.assertFalse(Organisation.objects.filter(name="Black Mesa").exists())


class RoutingTests(SimpleTestCase):
    def test_mirrored_models_and_their_automatic_tables_are_read_from_the_mirror(self):
        for model in (Organisation, Member, Chapter, Material, Material.subjects.through):
            with self.subTest(model.__name__):
                self.assertEqual(router.db_for_read(model), "mirror")

    def test_other_models_are_not(self):
        self.assertEqual(router.db_for_read(Note), "default")
        self.assertEqual(router.db_for_write(Note), "default")

    def test_two_mirrored_objects_may_be_related_and_a_mirrored_and_another_one_may_not(self):
        self.assertTrue(router.allow_relation(Member(), Organisation()))
        self.assertFalse(router.allow_relation(Member(), Note()))
        self.assertFalse(router.allow_relation(Note(), Member()))

    def test_the_base_class_is_what_makes_a_model_a_mirrored_one(self):
        self.assertTrue(all(issubclass(model, MirrorModel) for model in (Organisation, Section)))
        self.assertEqual(MirrorModel.database_role, "mirror")


class WhereTablesAreTests(TestCase):
    databases = "__all__"

    def test_tables_are_in_the_mirror_and_not_in_the_primary(self):
        tables = {model._meta.db_table for model in models_of("mirror")}
        self.assertIn("materials_material_subjects", tables)
        self.assertEqual(tables - set(connections["mirror"].introspection.table_names()), set())
        self.assertEqual(tables & set(connections["default"].introspection.table_names()), set())

    def test_the_primary_has_its_tables_and_the_mirror_has_none_of_them(self):
        primary = {"notes_note", "auth_user", "django_content_type", "django_session"}
        self.assertEqual(primary - set(connections["default"].introspection.table_names()), set())
        self.assertEqual(primary & set(connections["mirror"].introspection.table_names()), set())

    def test_what_showmigrations_lists_for_the_primary_is_explained_as_only_recorded(self):
        listed, explained = StringIO(), StringIO()
        call_command("showmigrations", "accounts", "materials", database="default", stdout=listed)
        self.assertEqual(listed.getvalue().count("[X] 0001_initial"), 2)
        call_command("databases", stdout=explained)
        default, mirror = explained.getvalue().split("mirror: mirror,")
        for app in ("accounts", "materials"):
            self.assertRegex(default, rf"{app} +1 only recorded: its tables are in the mirror database")
            self.assertRegex(mirror, rf"{app} +\d tables, made by their owner")
