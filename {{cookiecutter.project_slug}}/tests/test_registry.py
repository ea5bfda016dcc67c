"""Every model is in the database of its app, and a project where that is not certain does not start."""

from inspect import getfile
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from django.apps import apps
from django.conf import settings
from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured
from django.db import connections, models, router
from django.db.migrations.state import ModelState, ProjectState
from django.test import SimpleTestCase, TestCase

from databases.external import load, models_of, roles_of
from databases.primary import PrimaryRouter
from databases.roles import PRIMARY, role_of_alias

from . import production

ROLES = sorted(set(load().models.values()) - {PRIMARY})


def app_of(role: str) -> str:
    return models_of(role)[0]._meta.app_label


def base_of(role: str) -> type[models.Model]:
    """Return the base class that gives models this role."""
    return next(each for each in reversed(models_of(role)[0].__mro__) if hasattr(each, "database_role"))


def aliases_of(role: str) -> set[str]:
    return {alias for alias in connections if role_of_alias(alias) == role}


class RegistryTests(SimpleTestCase):
    def test_every_model_is_in_it_automatic_tables_included(self):
        for model in apps.get_models(include_auto_created=True):
            with self.subTest(model._meta.label):
                role = load().models[model._meta.app_label, model._meta.model_name]
                self.assertEqual({role}, roles_of(model._meta.app_label))
        self.assertIn(("auth", "user_groups"), load().models)

    def test_it_cannot_be_asked_before_all_models_are_loaded(self):
        with mock.patch.object(apps, "models_ready", False), self.assertRaises(AppRegistryNotReady):
            load.__wrapped__()

    def test_a_role_that_no_router_serves_is_refused_at_every_use(self):
        expected = {
            f"(databases.E001) {Path(getfile(model)).relative_to(settings.BASE_DIR)}: class {model.__name__} is "
            f"{role!r}, a role that no router serves. "
            "Add the router of that role to DATABASE_ROUTERS, or give the model another base class."
            for role, model in ((role, models_of(role)[0]) for role in ROLES)
        }
        load.cache_clear()
        with mock.patch.object(router, "routers", [PrimaryRouter()]):
            for _ in range(2):
                with self.assertRaises(ImproperlyConfigured) as caught:
                    load()
                self.assertEqual(set(str(caught.exception).splitlines()), expected)

    def test_an_app_that_is_not_installed_is_the_primarys(self):
        self.assertEqual(roles_of("long_gone"), {PRIMARY})

    def test_an_alias_that_no_router_serves_is_an_error_that_names_the_cure(self):
        with self.assertRaisesMessage(LookupError, "'nowhere': add the router of its role"):
            role_of_alias("nowhere")


class AllowMigrateTests(TestCase):
    # With databases: external ones are migrated only where they are test databases.
    databases = "__all__"

    def allowed(self, label: str, **hints) -> set[str]:
        return {alias for alias in connections if router.allow_migrate(alias, label, **hints)}

    def test_an_app_is_migrated_in_the_databases_of_its_role_and_nowhere_else(self):
        self.assertEqual(self.allowed("notes"), {"default"})
        for role in ROLES:
            self.assertEqual(self.allowed(app_of(role)), aliases_of(role))

    def test_models_that_were_renamed_or_deleted_go_where_their_app_belongs(self):
        for role in [PRIMARY, *ROLES]:
            label = "notes" if role == PRIMARY else app_of(role)
            state = ProjectState()
            state.add_model(ModelState(label, "LongGone", [("id", models.AutoField(primary_key=True))]))
            hints = {"model_name": "longgone", "model": state.apps.get_model(label, "LongGone")}
            with self.subTest(role):
                self.assertEqual(self.allowed(label, **hints), aliases_of(role))

    def test_a_hint_narrows_an_operation_to_a_role_or_an_alias(self):
        for role in ROLES:
            self.assertEqual(self.allowed(app_of(role), database=role), aliases_of(role))
            for alias in aliases_of(role):
                self.assertEqual(self.allowed(app_of(role), database=alias), {alias})
        self.assertEqual(self.allowed("notes", database="default"), {"default"})

    def test_a_hint_never_widens_an_operation(self):
        for role in ROLES:
            for elsewhere in (PRIMARY, "default", "nowhere"):
                self.assertEqual(self.allowed(app_of(role), database=elsewhere), set())
            self.assertEqual(self.allowed("notes", database=role), set())


class ChangedProjectTests(SimpleTestCase):
    """Each test changes a copy of this project and starts it."""

    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.project = production.copy_of_project(folder.name)
        self.database = Path(folder.name, "primary.sqlite3")

    def write(self, name: str, text: str) -> None:
        """Add lines to a file of the copy, which is made if need be."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    def install(self, app: str) -> None:
        self.write("config/settings.py", f"INSTALLED_APPS = [*INSTALLED_APPS, {app!r}]")

    def stops(self, *lines: str, command: str = "version") -> None:
        """Assert that a command does nothing but end with these lines, one for each thing that is wrong.

        It need not be one that asks the registry: the project does not start.
        """
        url = f"sqlite:///{self.database}"
        process = production.command(command, project=self.project, DATABASE_URL=url)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(process.stderr.removeprefix("manage.py: ").splitlines(), list(lines))
        self.assertFalse(self.database.exists())

    def test_a_model_in_a_file_that_nobody_imports_stops_migrate_and_tests(self):
        lines = []
        for role in ROLES:
            app, base = app_of(role), base_of(role)
            self.write(f"{app}/extra.py", f"from {base.__module__} import {base.__name__} as Base")
            self.write(f"{app}/extra.py", "class Lost(Base): ...")
            lines.append(
                f"(databases.E003) {Path(app, 'extra.py')}: class Lost is a model, but nothing imports this file. "
                f"Import it in the models module of the app {app!r}: no table is made for it otherwise."
            )
        self.stops(*lines, command="migrate")
        process = production.python("-m", "pytest", "--collect-only", project=self.project)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn(lines[0], process.stderr)

    def test_a_project_that_is_started_through_a_symbolic_link_is_looked_at(self):
        self.write("notes/extra.py", "from django.db import models\nclass Lost(models.Model): ...")
        link = self.project.with_name("link")
        link.symlink_to(self.project, target_is_directory=True)
        process = production.python("-m", "django", "check", project=link.parent, PYTHONPATH=str(link))
        self.assertIn("(databases.E003) ", process.stderr)

    def test_modules_of_a_models_package_need_not_be_listed(self):
        for role in ROLES:
            base = base_of(role)
            for package in ("", "/models", "/models/deep"):
                self.write(f"{role}_library{package}/__init__.py", "")
            book = f"{role}_library/models/deep/book.py"
            self.write(book, f"from {base.__module__} import {base.__name__} as Base\nclass Book(Base): ...")
            self.install(f"{role}_library")
        self.assertEqual(self.roles_of(*(f"{role}_library.book" for role in ROLES)), ROLES)

    def roles_of(self, *models: str) -> list[str]:
        keys = [model.split(".") for model in models]
        code = "import json; from databases.external import load"
        return production.run(
            f"{code}; print(json.dumps([load().models[app, name] for app, name in {keys}]))", project=self.project
        )

    def test_an_app_that_mixes_roles_is_refused(self):
        base = base_of(ROLES[0])
        self.write("notes/models.py", f"from {base.__module__} import {base.__name__} as Base\nclass Mixed(Base): ...")
        file = Path("notes", "models.py")
        self.stops(
            f"(databases.E002) The app 'notes' mixes models of several databases: {file}: class Note (primary), "
            f"{file}: class Mixed ({ROLES[0]}). Move the models of one role into an app of their own."
        )

    def test_two_models_of_one_name_are_told_apart(self):
        examples = [models_of(role)[0] for role in ROLES]
        for model in examples:
            self.write("notes/models.py", f"class {model.__name__}(models.Model): ...")
        ours = [f"notes.{model._meta.model_name}" for model in examples]
        theirs = [model._meta.label_lower for model in examples]
        self.assertEqual(self.roles_of(*ours, *theirs), [PRIMARY] * len(ours) + ROLES)
