"""A model class in a file that no module imports is found, and nothing else is taken for one."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from unittest import mock

from django.test import SimpleTestCase

from databases.tests.notebook.models import Note
from databases.unimported_models import unimported_models

MODELS = "from django.db import models\n"

#: Files that each define a model of the name Lost.
FOUND = {
    "plain": MODELS + "class Lost(models.Model): pass",
    "imported base": "from django.db.models import Model\nclass Lost(Model): pass",
    "renamed base": "from django.db.models import Model as Base\nclass Lost(Base): pass",
    "module path": "import django.db.models\nclass Lost(django.db.models.Model): pass",
    "star import": "from django.db.models import *\nclass Lost(Model): pass",
    "base of the role": "from databases.tests.notebook.models import Note\nclass Lost(Note): pass",
    "renamed base of the role": "from databases.tests.notebook.models import Note as Base\nclass Lost(Base): pass",
    "child of a loaded model": "from elsewhere import LoadedChild\nclass Lost(LoadedChild): pass",
    "generic base": MODELS + "class Lost(models.Model, Generic[T]): pass",
    "subscripted base": MODELS + "class Base(models.Model):\n class Meta: abstract = True\nclass Lost(Base[int]): pass",
    "behind if": MODELS + "if DEBUG:\n pass\nelse:\n class Lost(models.Model): pass",
    "behind except": MODELS + "try:\n import x\nexcept ImportError:\n class Lost(models.Model): pass",
    "behind with": MODELS + "with thing():\n class Lost(models.Model): pass",
    "proxy": "from databases.tests.notebook.models import Note\nclass Lost(Note):\n class Meta: proxy = True",
    "other encoding": "# coding: latin-1\n" + MODELS + "class Lost(models.Model): name = 'caf\xe9'",
}
#: What is no model, or an abstract one, which has no table.
NOT_FOUND = {
    "abstract": MODELS + "class Base(models.Model):\n class Meta: abstract = True",
    "abstract child": MODELS + "class Base(models.Model):\n class Meta(X.Meta):\n  abstract = True",
    "manager": MODELS + "class NoteManager(models.Manager): pass\nclass NoteQuerySet(models.QuerySet): pass",
    "choices": MODELS + "class Colour(models.TextChoices): RED = 'red'",
    "form": "from django import forms\nclass NoteForm(forms.ModelForm): pass",
    "class with the name of another role's model": "from click import Group, Session\nclass Mine(Group, Session): pass",
    "manager beside a model with that name": MODELS + "class Mine(models.Manager): pass",
    "base that is called": "class Mine(get_base(), metaclass=Meta): pass",
    "plain class": "class Report: pass\nclass Monthly(Report): pass",
}
MODEL_FILE = MODELS + "class Lost(models.Model): pass"


class UnimportedModelsTests(SimpleTestCase):
    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def find(self, *files: tuple[str, str]) -> list[tuple[str, str]]:
        """Write files, and return what is found in their folder for an app whose models derive from `Note`."""
        for name, text in files:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="latin-1")
        found = unimported_models(self.folder, Note)
        return [(path.relative_to(self.folder).as_posix(), problem) for path, problem in found]

    def test_models_are_found_however_they_are_written(self):
        loaded = [type("LoadedChild", (), {"__subclasses__": lambda: []})]
        with mock.patch("databases.unimported_models._subclasses", return_value=loaded):
            for name, text in FOUND.items():
                with self.subTest(name):
                    problem = "class Lost is a model, but nothing imports this file."
                    self.assertEqual(self.find(("lost.py", text)), [("lost.py", problem)])

    def test_what_is_no_model_is_not_found(self):
        for name, text in NOT_FOUND.items():
            with self.subTest(name):
                self.assertEqual(self.find(("lost.py", text)), [])

    def test_files_of_nested_packages_are_read(self):
        self.assertEqual([path for path, _ in self.find(("deep/er/lost.py", MODEL_FILE))], ["deep/er/lost.py"])

    def test_imported_files_are_not_read(self):
        module = ModuleType("layer_shop")
        module.__file__ = str(self.folder / "models.py")
        with mock.patch.dict(sys.modules, layer_shop=module):
            self.assertEqual(self.find(("models.py", MODEL_FILE)), [])

    def test_tests_and_migrations_are_not_read(self):
        names = ("tests.py", "test_it.py", "conftest.py", "tests/test_it.py", "migrations/0001_initial.py")
        self.assertEqual(self.find(*((name, MODEL_FILE) for name in names)), [])

    def test_a_base_is_followed_through_files_that_no_module_imports(self):
        abstract = MODELS + "class Base(models.Model):\n class Meta: abstract = True"
        middle = "from .base import Base as Root\nclass Middle(Root):\n class Meta: abstract = True"
        lost = "from shop import middle\nclass Lost(middle.Middle): pass"
        found = self.find(("base.py", abstract), ("middle.py", middle), ("till/lost.py", lost))
        self.assertEqual([path for path, _ in found], ["till/lost.py"])

    def test_a_file_that_cannot_be_parsed_is_reported(self):
        ((path, problem),) = self.find(("broken.py", "class :"))
        self.assertEqual(path, "broken.py")
        self.assertRegex(problem, r"^cannot be parsed \(invalid syntax .*line 1\)")
