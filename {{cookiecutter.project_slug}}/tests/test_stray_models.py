"""A model class in a file that nobody imports is found, and nothing else is taken for one."""

from pathlib import Path
from tempfile import TemporaryDirectory

from django.test import SimpleTestCase

from databases.stray_models import stray_classes

MODELS = "from django.db import models\n"

#: What a file may hold, and the model that is to be found in it.
FOUND = {
    "plain": (MODELS + "class Lost(models.Model): pass", "Lost"),
    "imported base": ("from django.db.models import Model\nclass Lost(Model): pass", "Lost"),
    "renamed base": ("from django.db.models import Model as Base\nclass Lost(Base): pass", "Lost"),
    "module path": ("import django.db.models\nclass Lost(django.db.models.Model): pass", "Lost"),
    "star import": ("from django.db.models import *\nclass Lost(Model): pass", "Lost"),
    "child of a loaded model": ("from notes.models import Note\nclass Lost(Note): pass", "Lost"),
    "generic base": (MODELS + "class Lost(models.Model, Generic[T]): pass", "Lost"),
    "subscripted base": (
        MODELS + "class Base(models.Model):\n class Meta: abstract = True\nclass Lost(Base[int]): pass",
        "Lost",
    ),
    "behind if": (MODELS + "if DEBUG:\n pass\nelse:\n class Lost(models.Model): pass", "Lost"),
    "behind except": (MODELS + "try:\n import x\nexcept ImportError:\n class Lost(models.Model): pass", "Lost"),
    "behind with": (MODELS + "with thing():\n class Lost(models.Model): pass", "Lost"),
    "not for types only": (MODELS + "if not TYPE_CHECKING:\n class Lost(models.Model): pass", "Lost"),
    "proxy": ("from notes.models import Note\nclass Lost(Note):\n class Meta: proxy = True", "Lost"),
    "other encoding": ("# coding: latin-1\n" + MODELS + "class Lost(models.Model): name = 'caf\xe9'", "Lost"),
}
#: What is no model, or none of which a table would be made.
NOT_FOUND = {
    "abstract": MODELS + "class Base(models.Model):\n class Meta: abstract = True",
    "abstract child": MODELS + "class Base(models.Model):\n class Meta(X.Meta):\n  abstract = True",
    "types only": MODELS + "if TYPE_CHECKING:\n class Fake(models.Model): pass",
    "typing module": MODELS + "if typing.TYPE_CHECKING:\n class Fake(models.Model): pass",
    "inside a function": MODELS + "def make():\n class Local(models.Model): pass",
    "manager": MODELS + "class NoteManager(models.Manager): pass\nclass NoteQuerySet(models.QuerySet): pass",
    "choices": MODELS + "class Colour(models.TextChoices): RED = 'red'",
    "form": "from django import forms\nclass NoteForm(forms.ModelForm): pass",
    "class with the name of a model": "from click import Group, Session\nclass Mine(Group, Session, Note): pass",
    "manager beside a model with that name": MODELS + "class Mine(models.Manager): pass",
    "base that is called": "class Mine(get_base(), metaclass=Meta): pass",
}
MODEL_FILE = MODELS + "class Lost(models.Model): pass"


class StrayClassesTests(SimpleTestCase):
    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def find(self, *files: tuple[str, str], imported: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        for name, text in files:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="latin-1")
        loaded = {self.folder / name for name in imported}
        found = stray_classes({"shop": self.folder / "shop", "shop.till": self.folder / "shop" / "till"}, loaded)
        return [(path.relative_to(self.folder).as_posix(), complaint) for _, path, complaint in found]

    def test_models_are_found_however_they_are_written(self):
        for name, (text, model) in FOUND.items():
            with self.subTest(name):
                complaint = f"class {model} is a model, but nothing imports this file."
                self.assertEqual(self.find(("shop/lost.py", text)), [("shop/lost.py", complaint)])

    def test_what_is_no_model_is_not_found(self):
        for name, text in NOT_FOUND.items():
            with self.subTest(name):
                self.assertEqual(self.find(("shop/lost.py", text)), [])

    def test_files_of_nested_packages_are_read(self):
        found = self.find(("shop/deep/er/lost.py", MODEL_FILE))
        self.assertEqual([path for path, _ in found], ["shop/deep/er/lost.py"])

    def test_a_file_of_an_app_inside_an_app_is_reported_once(self):
        self.assertEqual(len(self.find(("shop/till/lost.py", MODEL_FILE))), 1)

    def test_imported_files_are_not_read(self):
        self.assertEqual(self.find(("shop/models.py", MODEL_FILE), imported=("shop/models.py",)), [])

    def test_tests_and_migrations_are_not_read(self):
        names = ("tests.py", "test_it.py", "conftest.py", "tests/test_it.py", "migrations/0001_initial.py")
        self.assertEqual(self.find(*((f"shop/{name}", MODEL_FILE) for name in names)), [])

    def test_a_base_is_followed_through_files_that_nobody_imports(self):
        abstract = MODELS + "class Base(models.Model):\n class Meta: abstract = True"
        middle = "from .base import Base as Root\nclass Middle(Root):\n class Meta: abstract = True"
        lost = "from shop import middle\nclass Lost(middle.Middle): pass"
        found = self.find(("shop/base.py", abstract), ("shop/middle.py", middle), ("shop/till/lost.py", lost))
        self.assertEqual([path for path, _ in found], ["shop/till/lost.py"])

    def test_a_file_that_cannot_be_parsed_is_reported(self):
        ((path, complaint),) = self.find(("shop/broken.py", "class :"))
        self.assertEqual(path, "shop/broken.py")
        self.assertRegex(complaint, r"^cannot be parsed \(invalid syntax .*line 1\)")
