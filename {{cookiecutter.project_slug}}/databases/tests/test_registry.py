"""Every model lives in the database of its app, and a project that leaves this open does not start."""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured
from django.db import connections, models, router
from django.db.migrations.state import ModelState, ProjectState
from django.test import SimpleTestCase, TestCase, override_settings
from django.test.utils import isolate_apps

from databases import registry
from databases.registry import PRIMARY, is_foreign, models_of, role_of_alias, role_of_model, roles_of
from databases.tests import production
from databases.tests.notebook.models import Note
from databases.tests.roles import APPS, ROLES, WITH_BASE_CLASS, aliases_of, base_of

MODELS = "from django.db import models\n"
#: Files of the project.
SETTINGS = f"{production.OWN_SETTINGS.replace('.', '/')}.py"
DATABASES = str(Path(SETTINGS).with_name("databases.py"))
HERE = Path(__file__).relative_to(settings.BASE_DIR)


class Base(models.Model):
    """The base class of a role that only these tests know."""

    database_role = "elsewhere"

    class Meta:
        abstract = True


class ElsewhereRouter:
    role = "elsewhere"
    base_class = f"{__name__}.Base"

    def serves(self, alias: str) -> bool:
        return alias == "elsewhere"

    def db_for_write(self, model: type[models.Model], **hints: object) -> None:
        """Stand for the method that every router of a role with apps has."""


def apps_in(**roles: str):
    """Return the setting `APP_DATABASES` with more apps in it."""
    return override_settings(APP_DATABASES={**settings.APP_DATABASES, **roles})


def with_router(*routers: object):
    return mock.patch.object(router, "routers", [*routers, *router.routers])


@isolate_apps()
def model(name: str, base: type[models.Model], label: str) -> type[models.Model]:
    """Return a new model of an app, derived from a base class."""
    meta = type("Meta", (), {"app_label": label})
    return type(name, (base,), {"Meta": meta, "__module__": __name__})


class RegistryTests(SimpleTestCase):
    def test_the_role_of_a_model_is_that_of_its_app(self):
        for each in apps.get_models(include_auto_created=True):
            with self.subTest(each._meta.label):
                self.assertIn(role_of_model(each), settings.APP_DATABASES.get(each._meta.app_label, PRIMARY))
        for role in ROLES:
            self.assertIn(role, {role_of_model(each) for each in apps.get_app_config(APPS[role]).get_models()})

    def test_the_models_of_a_role_include_automatic_tables(self):
        self.assertIn(Note, models_of(PRIMARY))
        self.assertIn(Permission.group_set.through, models_of(PRIMARY))
        with apps_in(auth="elsewhere"):
            self.assertIn(Permission.group_set.through, models_of("elsewhere"))
            self.assertNotIn(Permission, models_of(PRIMARY))

    def test_it_cannot_be_asked_before_all_models_are_loaded(self):
        apps.get_models.cache_clear()
        with mock.patch.object(apps, "models_ready", False):
            for ask in (registry.check, lambda: models_of(PRIMARY)):
                with self.assertRaises(AppRegistryNotReady):
                    ask()

    def test_an_app_that_is_not_installed_is_the_primarys(self):
        self.assertEqual(roles_of("long_gone"), {PRIMARY})

    def test_the_app_of_the_seeds_may_have_several_roles_or_none(self):
        with apps_in(one="mirror+tenant", two=""):
            self.assertEqual(roles_of("one"), {"mirror", "tenant"})
            self.assertEqual(roles_of("two"), {""})

    def test_two_models_of_one_name_are_told_apart(self):
        with apps_in(layer_elsewhere="elsewhere"):
            self.assertEqual(role_of_model(model("Note", Base, "layer_elsewhere")), "elsewhere")
            self.assertEqual(role_of_model(Note), PRIMARY)

    def test_an_alias_that_no_router_serves_is_an_error_that_names_the_cure(self):
        with self.assertRaisesMessage(LookupError, "'nowhere': add the router of its role"):
            role_of_alias("nowhere")

    def test_routers_of_other_packages_have_no_role(self):
        with with_router(object(), mock.Mock(spec=["db_for_read", "db_for_write"])):
            self.assertEqual(role_of_alias("default"), PRIMARY)
            self.assertFalse(is_foreign("default"))
            self.assertEqual(registry.problems(), [])

    def test_a_router_says_whether_the_schema_of_its_database_is_foreign(self):
        with with_router(ElsewhereRouter()):
            self.assertFalse(is_foreign("elsewhere"))
            with mock.patch.object(ElsewhereRouter, "foreign", True, create=True):
                self.assertTrue(is_foreign("elsewhere"))
                self.assertFalse(is_foreign("default"))


class ProblemTests(SimpleTestCase):
    """What each error says: what is wrong, and how to correct it."""

    def check(self, *more: type[models.Model]) -> list[str]:
        """Return the lines that stop a start, with these models installed too."""
        installed = [*apps.get_models(), *more]
        with mock.patch.object(apps, "get_models", lambda **options: installed):
            try:
                registry.check()
            except ImproperlyConfigured as error:
                return str(error).splitlines()
        return []

    def test_this_project_has_none(self):
        self.assertEqual(self.check(), [])

    def test_an_app_that_is_not_installed(self):
        with apps_in(long_gone=PRIMARY):
            self.assertEqual(
                self.check(),
                [
                    "(databases.E010) APP_DATABASES names the app 'long_gone', which is not installed. "
                    "Remove its line from APP_DATABASES in databases.py, or add the app to INSTALLED_APPS."
                ],
            )

    def test_a_role_that_no_router_serves(self):
        # A router without `db_for_write`, such as one of replicas, shares another role's models: no app lives there.
        with with_router(mock.Mock(spec=["role", "serves", "db_for_read"], role="copy")):
            for role in ("nowhere", "copy"):
                with self.subTest(role), apps_in(admin=role):
                    self.assertIn(
                        f"(databases.E001) APP_DATABASES puts the app 'admin' into {role!r}, which is neither an alias "
                        "in OWN_DATABASES nor the role of a router. In databases.py correct the line, add the "
                        "alias to OWN_DATABASES, or add the router of that role to DATABASE_ROUTERS.",
                        self.check(),
                    )

    def test_a_base_class_of_a_role_in_an_app_of_the_primary(self):
        for role, base in [("elsewhere", Base), *((role, base_of(role)) for role in WITH_BASE_CLASS)]:
            with self.subTest(role), with_router(ElsewhereRouter()):
                self.assertEqual(
                    self.check(model("Mixed", base, "layer_notebook")),
                    [
                        f"(databases.E002) {HERE}: class Mixed has the base class of the role {role!r}, but "
                        "APP_DATABASES puts its app 'layer_notebook' into 'primary'. Derive it from "
                        "django.db.models.Model, correct the line of 'layer_notebook' in APP_DATABASES "
                        "(databases.py), or move it into another app: all models of an app live in one "
                        "database."
                    ],
                )

    def test_a_plain_base_class_in_an_app_of_a_role(self):
        with apps_in(admin="elsewhere"), with_router(ElsewhereRouter()):
            found = [line for line in self.check(model("Plain", models.Model, "admin")) if "class Plain" in line]
        self.assertEqual(
            found,
            [
                f"(databases.E002) {HERE}: class Plain has the base class of the role 'primary', but APP_DATABASES "
                f"puts its app 'admin' into 'elsewhere'. Derive it from {__name__}.Base, correct the line of 'admin' "
                "in APP_DATABASES (databases.py), or move it into another app: all models of an app live in "
                "one database."
            ],
        )
        for role in WITH_BASE_CLASS:
            (error,) = self.check(model("Plain", models.Model, APPS[role]))
            self.assertIn(f"'primary', but APP_DATABASES puts its app '{APPS[role]}' into {role!r}", error)

    def test_an_app_may_be_put_into_the_primary_by_its_alias(self):
        with apps_in(admin="default"):
            self.assertEqual(self.check(), [])
            self.assertEqual(roles_of("admin"), {PRIMARY})

    def test_a_role_without_a_base_class_takes_plain_models(self):
        bare = mock.Mock(spec=["role", "serves", "db_for_write"], role="bare")
        with apps_in(admin="bare"), with_router(bare):
            self.assertEqual(self.check(model("Plain", models.Model, "admin")), [])


class AllowMigrateTests(TestCase):
    # With databases: tables of a role whose schema is foreign are made in test databases only.
    databases = "__all__"

    def allowed(self, label: str, **hints) -> set[str]:
        return {alias for alias in connections if router.allow_migrate(alias, label, **hints)}

    def test_an_app_is_migrated_in_the_databases_of_its_role_and_nowhere_else(self):
        self.assertEqual(self.allowed("layer_notebook"), {"default"})
        for role in ROLES:
            self.assertEqual(self.allowed(APPS[role]), aliases_of(role))

    def test_models_that_were_renamed_or_deleted_go_where_their_app_belongs(self):
        for role, label in {PRIMARY: "layer_notebook", **APPS}.items():
            state = ProjectState()
            state.add_model(ModelState(label, "LongGone", [("id", models.AutoField(primary_key=True))]))
            hints = {"model_name": "longgone", "model": state.apps.get_model(label, "LongGone")}
            with self.subTest(role):
                self.assertEqual(self.allowed(label, **hints), aliases_of(role))

    def test_a_hint_narrows_an_operation_to_a_role_or_an_alias(self):
        for role in ROLES:
            self.assertEqual(self.allowed(APPS[role], database=role), aliases_of(role))
            for alias in aliases_of(role):
                self.assertEqual(self.allowed(APPS[role], database=alias), {alias})
        self.assertEqual(self.allowed("layer_notebook", database="default"), {"default"})

    def test_a_hint_never_widens_an_operation(self):
        for elsewhere in (*ROLES, "nowhere"):
            self.assertEqual(self.allowed("layer_notebook", database=elsewhere), set())
        for role in ROLES:
            for elsewhere in (PRIMARY, "default", "nowhere"):
                self.assertEqual(self.allowed(APPS[role], database=elsewhere), set())


class ChangedProjectTests(SimpleTestCase):
    """Each test changes a copy of this project, whose app `layer_shop` lives in a role of its own, and starts it."""

    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.project = production.copy_of_project(folder.name)
        self.database = Path(folder.name, "primary.sqlite3")
        own = Path(__file__).read_text(encoding="utf-8")
        classes = own[own.index("class Base(") : own.index("def apps_in")].replace("{__name__}", "layer_shop.role")
        self.write("layer_shop/__init__.py", "")
        self.write("layer_shop/role.py", MODELS + classes)
        self.write("layer_shop/models.py", f"{MODELS}from layer_shop.role import Base\nclass Ware(Base): ...")
        self.write(SETTINGS, "INSTALLED_APPS += ['layer_shop']")
        self.write(DATABASES, "DATABASE_ROUTERS.insert(0, 'layer_shop.role.ElsewhereRouter')")
        self.write(DATABASES, "APP_DATABASES['layer_shop'] = 'elsewhere'")

    def write(self, name: str, text: str) -> None:
        """Add lines to a file of the copy, and create the file if necessary."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    def start(self, command: str = "version") -> tuple[int, list[str]]:
        """Return the exit code and the lines that a command prints to stderr."""
        process = production.command(command, project=self.project, DATABASE_URL=f"sqlite:///{self.database}")
        return process.returncode, process.stderr.removeprefix("manage.py: ").splitlines()

    def test_an_app_in_a_role_of_its_own_is_fine(self):
        self.assertEqual(self.start(), (0, []))

    def test_each_problem_stops_every_start(self):
        self.write(DATABASES, "APP_DATABASES |= {'admin': 'nowhere', 'long_gone': 'elsewhere'}")
        self.write("layer_shop/models.py", "class Plain(models.Model): ...")
        self.write("layer_shop/extra.py", "from layer_shop.role import Base\nclass Lost(Base): ...")
        for command in ("check", "migrate", "test", "version"):
            with self.subTest(command):
                code, lines = self.start(command)
                self.assertEqual(code, 1)
                self.assertRegex(lines[0], r"^\(databases.E010\) .*'long_gone'")
                self.assertRegex(lines[1], r"^\(databases.E001\) .*'admin' into 'nowhere'")
                self.assertRegex(lines[2], r"^\(databases.E002\) layer_shop/models.py: class Plain ")
                self.assertRegex(lines[3], r"^\(databases.E003\) layer_shop/extra.py: class Lost ")
                self.assertEqual(len(lines), 4)
        self.assertFalse(self.database.exists())
        process = production.python("-m", "pytest", "--collect-only", "-q", "databases", project=self.project)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn(lines[3], process.stderr)

    def test_a_model_in_a_file_that_no_module_imports_is_found_in_the_apps_of_each_role(self):
        expected = []
        for app, label, base in [("layer_shop", "layer_shop", "layer_shop.role.Base")] + [
            (apps.get_app_config(APPS[role]).name, APPS[role], f"{base_of(role).__module__}.{base_of(role).__name__}")
            for role in WITH_BASE_CLASS
        ]:
            module, _, name = base.rpartition(".")
            file = f"{app.replace('.', '/')}/deep/extra.py"
            self.write(file, f"from {module} import {name} as Root\nclass Lost(Root): ...")
            expected.append(
                f"(databases.E003) {Path(file)}: class Lost is a model, but nothing imports this file. "
                f"Import the file in the models module of the app {label!r}, or delete it."
            )
        code, lines = self.start()
        self.assertEqual((code, sorted(lines)), (1, sorted(expected)))

    def test_files_of_an_app_in_the_primary_are_not_read(self):
        for app, report in (
            ("layer_desk", MODELS + "class Report(models.Model):\n class Meta: abstract = True"),
            ("layer_till", "class Report: ..."),
        ):
            self.write(f"{app}/__init__.py", "")
            self.write(f"{app}/report.py", report)
            self.write(f"{app}/monthly.py", "from .report import Report\nclass Monthly(Report): ...")
            self.write(SETTINGS, f"INSTALLED_APPS += [{app!r}]")
        self.assertEqual(self.start(), (0, []))

    def test_a_project_that_is_started_through_a_symbolic_link_is_checked(self):
        self.write("layer_shop/extra.py", "from layer_shop.role import Base\nclass Lost(Base): ...")
        link = self.project.with_name("link")
        link.symlink_to(self.project, target_is_directory=True)
        process = production.python("-m", "django", "check", project=link.parent, PYTHONPATH=str(link))
        self.assertIn("(databases.E003) layer_shop/extra.py: class Lost ", process.stderr)
