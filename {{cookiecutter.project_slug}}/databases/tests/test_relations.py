"""A relation between two databases is a system check error; a relation within one is not."""

from unittest import mock

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.fields import GenericRelation
from django.core.checks import Tags, run_checks
from django.db import models
from django.test import SimpleTestCase, override_settings
from django.test.utils import isolate_apps

from databases.checks import crossing_relations
from databases.registry import PRIMARY

#: An app of each role: the primary's, and one that is not installed.
APPS = {PRIMARY: "layer_notebook", "elsewhere": "layer_elsewhere"}


def model(name: str, role: str, **fields: models.Field) -> type[models.Model]:
    """Return a new model of a role."""
    meta = type("Meta", (), {"app_label": APPS[role]})
    return type(name, (models.Model,), {"Meta": meta, "__module__": __name__, **fields})


@isolate_apps()
def related(here: str, there: str) -> list[type[models.Model]]:
    """Return models of one role, each with another kind of relation to a model of the other."""
    target = model("Target", there)
    relations = [
        models.ForeignKey(target, models.CASCADE, related_name="+"),
        models.ForeignKey(target, models.CASCADE, related_name="+", db_constraint=False),
        models.OneToOneField(target, models.CASCADE, related_name="+"),
        models.ManyToManyField(target, related_name="+"),
        GenericRelation(target),
    ]
    return [model(f"Source{number}", here, to=relation) for number, relation in enumerate(relations)]


@isolate_apps()
def child(here: str, there: str) -> type[models.Model]:
    """Return a model of one role that inherits from a model of the other."""
    parent: type[models.Model] = model("Parent", there)
    return type("Child", (parent,), {"Meta": type("Meta", (), {"app_label": APPS[here]}), "__module__": __name__})


@override_settings(APP_DATABASES={**settings.APP_DATABASES, "layer_elsewhere": "elsewhere"})
class RelationTests(SimpleTestCase):
    def test_relations_between_databases_are_errors_that_name_the_cure(self):
        for here, there in ((PRIMARY, "elsewhere"), ("elsewhere", PRIMARY)):
            sources = related(here, there)
            for source in sources:
                with self.subTest(f"{source.__name__}, {here} to {there}"):
                    (error,) = crossing_relations(source)
                    self.assertEqual(error.id, "databases.E004")
                    self.assertEqual(
                        error.msg,
                        f"{APPS[here]}.{source.__name__}.to points from the {here} database to {APPS[there]}.Target "
                        f"in the {there} database.",
                    )
                    several = source in (sources[3], sources[4])
                    cure = (
                        "Keep both keys in plain columns"
                        if several
                        else "Keep the key in a plain column, such as to_id ="
                    )
                    self.assertIn(cure, error.hint)
                    self.assertIn("APP_DATABASES", error.hint)

    def test_a_parent_in_another_database_is_an_error(self):
        (error,) = crossing_relations(child(PRIMARY, "elsewhere"))
        self.assertIn("Derive it from an abstract class", error.hint)
        self.assertEqual(list(crossing_relations(child(PRIMARY, PRIMARY))), [])

    def test_relations_within_one_role_are_fine(self):
        for role in APPS:
            for source in related(role, role):
                with self.subTest(f"{source.__name__}, {role}"):
                    self.assertEqual(list(crossing_relations(source)), [])

    def test_a_relation_to_itself_is_fine(self):
        with isolate_apps():
            tree = model("Tree", "elsewhere", parent=models.ForeignKey("self", models.CASCADE))
        self.assertEqual(list(crossing_relations(tree)), [])

    def test_the_checks_of_every_start_include_it(self):
        installed = [*apps.get_models(), *related(PRIMARY, "elsewhere")]
        with mock.patch.object(apps, "get_models", lambda **options: installed):
            found = [error for error in run_checks(app_configs=[], tags=[Tags.models]) if error.id == "databases.E004"]
        self.assertEqual([error.obj.__name__ for error in found], [f"Source{number}" for number in range(5)])
