"""No relation crosses databases: the check that says so, and what it leaves alone."""

from unittest import mock

from django.apps import apps
from django.core.checks import run_checks
from django.db import models
from django.test import SimpleTestCase
from django.test.utils import isolate_apps

from databases.checks import crossing_relations
from databases.external import load
from databases.roles import PRIMARY

ROLES = sorted(set(load().models.values()) - {PRIMARY})


def model(name: str, role: str, **fields: models.Field) -> type[models.Model]:
    """Return a new model of a role."""
    meta = type("Meta", (), {"app_label": "notes"})
    return type(name, (models.Model,), {"database_role": role, "Meta": meta, "__module__": __name__, **fields})


@isolate_apps("notes")
def related(here: str, there: str) -> list[type[models.Model]]:
    """Return models of one role, each with another kind of relation to a model of the other."""
    target = model("Target", there)
    relations = [
        models.ForeignKey(target, models.CASCADE, related_name="+"),
        models.ForeignKey(target, models.CASCADE, related_name="+", db_constraint=False),
        models.OneToOneField(target, models.CASCADE, related_name="+"),
        models.ManyToManyField(target, related_name="+"),
    ]
    return [model(f"Source{number}", here, to=relation) for number, relation in enumerate(relations)]


class RelationTests(SimpleTestCase):
    def test_relations_between_databases_are_errors_that_name_the_cure(self):
        for here, there in [(PRIMARY, role) for role in ROLES] + [(role, PRIMARY) for role in ROLES]:
            for source in related(here, there):
                with self.subTest(f"{source.__name__}, {here} to {there}"):
                    (error,) = crossing_relations(source)
                    self.assertEqual(error.id, "databases.E004")
                    self.assertEqual(
                        error.msg,
                        f"notes.{source.__name__}.to points from the {here} database to notes.Target "
                        f"in the {there} database.",
                    )
                    self.assertIn("Keep the key in a plain column, such as to_id =", error.hint)

    def test_relations_within_one_role_are_none(self):
        for role in (PRIMARY, *ROLES):
            for source in related(role, role):
                with self.subTest(f"{source.__name__}, {role}"):
                    self.assertEqual(list(crossing_relations(source)), [])

    def test_a_relation_to_itself_is_none(self):
        with isolate_apps("notes"):
            tree = model("Tree", ROLES[0], parent=models.ForeignKey("self", models.CASCADE))
        self.assertEqual(list(crossing_relations(tree)), [])


class CheckTests(SimpleTestCase):
    def errors(self) -> list[str]:
        return [error.id for error in run_checks() if str(error.id).startswith("databases.")]

    def test_the_checks_of_every_start_include_it(self):
        self.assertEqual(self.errors(), [])
        models = [*apps.get_models(), *related(PRIMARY, ROLES[0])]
        with mock.patch.object(apps, "get_models", lambda **options: models):
            self.assertEqual(self.errors(), ["databases.E004"] * 4)
