"""Objects of our models that were read from the mirror are not written to our database, which has its own rows."""

from django.contrib.auth.models import Group
from django.db import connections, transaction
from django.db.models import Model
from django.test import TestCase

from databases.mirror.tests.people.models import Organisation
from databases.own import ForeignInstanceError
from databases.tests.notebook.models import Note
from databases.tests.users import make_superuser


class InstanceTests(TestCase):
    databases = {"default", "mirror"}

    @classmethod
    def setUpClass(cls):
        # The mirror has a table of the same name. Made before the class's transaction, in which SQLite makes none.
        with connections["mirror"].schema_editor() as editor:
            editor.create_model(Note)
        cls.addClassCleanup(cls.drop)
        super().setUpClass()

    @classmethod
    def drop(cls):
        with connections["mirror"].schema_editor() as editor:
            editor.delete_model(Note)

    @classmethod
    def setUpTestData(cls):
        cls.ours = Note.objects.create(text="ours")
        cls.group = Group.objects.create(name="layer")
        cls.user = make_superuser()
        Note(pk=cls.ours.pk, text="theirs").save(using="mirror", force_insert=True)

    def theirs(self, model: type[Model] = Note) -> Model:
        """Return an object with the key of one of ours, read from the mirror."""
        key = {Note: self.ours, type(self.user): self.user}[model].pk
        # `raw()`, because the mirror has no table of users.
        return model._default_manager.using("mirror").raw(f"SELECT {key} AS {model._meta.pk.column}")[0]

    def refused(self):
        return self.assertRaisesRegex(ForeignInstanceError, "was read from 'mirror', .+ not written to 'default'")

    def test_an_object_read_from_the_mirror_is_not_saved(self):
        note = Note.objects.using("mirror").get()
        self.assertEqual(note.text, "theirs")
        with self.refused():
            note.save()
        with self.refused():
            note.save(update_fields=["text"])
        with self.refused():
            note.save(using="default")
        with self.refused():
            self.theirs(type(self.user)).save()
        self.assertEqual(Note.objects.get().text, "ours")
        note.save(using="mirror")

    def test_it_deletes_nothing(self):
        with self.refused():
            Note.objects.using("mirror").get().delete()
        self.assertEqual(Note.objects.count(), 1)

    def test_its_relations_are_not_changed(self):
        user = self.theirs(type(self.user))
        for change in (user.groups.add, user.groups.remove, lambda group: user.groups.set([group])):
            with self.refused():
                change(self.group)
        self.assertFalse(self.user.groups.exists())

    def test_a_copy_is_saved(self):
        theirs = Note.objects.using("mirror").get()
        Note.objects.create(text=f"{theirs.text}, copied")
        theirs._state.db = None
        theirs.save()
        self.assertEqual({*Note.objects.values_list("text", flat=True)}, {"theirs", "theirs, copied"})

    def test_an_object_of_ours_is_written(self):
        self.ours.text = "changed"
        self.ours.save()
        self.user.groups.add(self.group)
        self.assertEqual((Note.objects.get().text, self.user.groups.get()), ("changed", self.group))
        self.ours.delete()
        self.assertFalse(Note.objects.exists())

    def test_an_object_of_the_mirrors_own_models_may_be_the_hint_of_a_write(self):
        with transaction.atomic(using="mirror"):
            organisation = Organisation.objects.create(name="theirs")
        self.assertEqual(Note.objects.db_manager(hints={"instance": organisation}).create(text="a").text, "a")
