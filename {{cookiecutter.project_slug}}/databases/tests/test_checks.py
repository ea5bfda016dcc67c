"""Middleware and routers must stand in the right order, or `manage.py check` fails."""

from unittest import mock

from django.conf import settings
from django.core.checks import run_checks
from django.db import connections
from django.test import SimpleTestCase, override_settings

from databases import checks
from databases.checks import DATABASE_READERS, LAST_ROUTER, check_hidden_routers, check_order_of_apps
from databases.tests.notebook.models import Note

IDS = {f"databases.E0{number}" for number in (11, 15, 16, 17, 18)}
OURS = ["layer.middleware.First", "layer.middleware.Second"]
SESSIONS, LOGIN = DATABASE_READERS


class OtherRouter:
    """A router of another package."""


class GreedyRouter:
    """A router of another package, which answers for every app in one way."""

    def __init__(self, method: str) -> None:
        setattr(self, method, lambda *args, **hints: "default")


class RoleRouter:
    """The router of a role that the app of these tests lives in."""

    role = "shelf"

    def serves(self, alias: str) -> bool:
        return alias == "shelf"

    def db_for_read(self, model: type, **hints: object) -> str | None:
        return "shelf" if model is Note else None

    db_for_write = db_for_read


OTHER_ROUTER = f"{__name__}.OtherRouter"


class Checked(SimpleTestCase):
    def errors(self, **changed: list[str]) -> list[tuple[str, str]]:
        """Return message and cure of the errors of this module's checks, under changed settings."""
        with override_settings(**changed):
            # Without the checks of models: one of a JSONField asks SQLite, and this test may not.
            found = [error for error in run_checks(app_configs=[]) if error.id in IDS]
        return [(error.msg, error.hint) for error in found]


class OwnDatabaseTests(Checked):
    def test_two_aliases_of_one_database_are_an_error(self):
        config = {"HOST": "", "PORT": "", "NAME": "one", "OPTIONS": {"host": "/run"}}
        same = ["'layer' is the same database as 'default'."]
        for other, wrong in (
            ({}, same),
            ({"HOST": "/run", "OPTIONS": {"connect_timeout": 3}}, same),
            ({"NAME": "two"}, []),
            ({"OPTIONS": {"host": "/srv"}}, []),
        ):
            found = {**connections.settings, "default": config, "layer": {**config, **other}}
            with mock.patch.object(checks, "connections", mock.Mock(settings=found)):
                errors = self.errors(OWN_DATABASES=["default", "layer"])
            self.assertEqual([message for message, _ in errors], wrong)

    def test_another_applications_database_is_none_of_our_own(self):
        config = {"HOST": "", "PORT": "", "NAME": "/one", "OPTIONS": {}}
        for name, wrong in (
            ("/one", ["'default' is the same database as 'layer', which belongs to another application."]),
            (
                "file:///one?mode=ro",
                ["'default' is the same database as 'layer', which belongs to another application."],
            ),
            ("/two", []),
        ):
            found = {**connections.settings, "default": config, "layer": {**config, "NAME": name}}
            foreign = mock.patch.object(checks, "is_foreign", lambda alias: alias == "layer")
            with mock.patch.object(checks, "connections", mock.Mock(settings=found)), foreign:
                errors = self.errors(OWN_DATABASES=["default"])
            self.assertEqual([message for message, _ in errors], wrong)

    def test_an_alias_without_an_entry_is_an_error(self):
        errors = self.errors(OWN_DATABASES=["default", "layer"])
        self.assertEqual([message for message, _ in errors], ["'layer' is in OWN_DATABASES and not in DATABASES."])


class MiddlewareTests(Checked):
    HINT = "Put *DATABASE_MIDDLEWARE into MIDDLEWARE in settings.py, before SessionMiddleware."

    def wrong(self, *middleware: str) -> list[str]:
        found = self.errors(MIDDLEWARE=[*middleware], DATABASE_MIDDLEWARE=OURS)
        self.assertEqual({hint for _, hint in found} - {self.HINT}, set())
        return [message for message, _ in found]

    def test_before_sessions_it_is_fine_whatever_else_there_is(self):
        self.assertEqual(self.wrong("of.yours.One", *OURS, "of.yours.Two", SESSIONS, LOGIN), [])

    def test_a_project_may_have_no_sessions(self):
        self.assertEqual(self.wrong("of.yours.One", *OURS), [])

    def test_one_that_is_missing_is_an_error(self):
        self.assertEqual(self.wrong(OURS[1], SESSIONS), [f"{OURS[0]} is missing from MIDDLEWARE."])

    def test_one_after_the_first_that_reads_a_database_is_an_error(self):
        for readers in ((SESSIONS, LOGIN), (LOGIN, SESSIONS)):
            message = f"{OURS[1]} comes after {readers[0]} in MIDDLEWARE, which queries the database first."
            self.assertEqual(self.wrong(OURS[0], readers[0], OURS[1], readers[1]), [message])

    def test_without_middleware_of_the_layer_there_is_nothing_to_check(self):
        self.assertEqual(self.errors(MIDDLEWARE=[SESSIONS], DATABASE_MIDDLEWARE=[]), [])


class RouterTests(Checked):
    HINT = f"Put {LAST_ROUTER} at the end of DATABASE_ROUTERS in databases.py."

    def test_other_routers_may_stand_before_the_primarys(self):
        self.assertEqual(self.errors(DATABASE_ROUTERS=[OTHER_ROUTER, LAST_ROUTER]), [])

    def test_a_router_after_the_primarys_is_an_error(self):
        for routers in ([LAST_ROUTER, OTHER_ROUTER], [OTHER_ROUTER], []):
            with self.subTest(routers):
                ((message, hint),) = self.errors(DATABASE_ROUTERS=routers)
                self.assertIn(f"The last entry of DATABASE_ROUTERS is not {LAST_ROUTER}.", message)
                self.assertEqual(hint, self.HINT)


class HiddenRouterTests(SimpleTestCase):
    def hidden(self, *routers: object) -> list[str]:
        lives = {**settings.APP_DATABASES, Note._meta.app_label: "shelf"}
        with override_settings(DATABASE_ROUTERS=[*routers, LAST_ROUTER], APP_DATABASES=lives):
            found = check_hidden_routers(None)
        self.assertEqual({error.id for error in found} - {"databases.E016"}, set())
        self.assertTrue(all("return None" in str(error.hint) for error in found))
        return [error.msg for error in found if error.obj is Note]

    def test_a_router_that_answers_for_the_app_of_a_role_is_an_error(self):
        for method in ("db_for_read", "db_for_write", "allow_migrate"):
            with self.subTest(method):
                (message,) = self.hidden(GreedyRouter(method), RoleRouter())
                self.assertIn(f"GreedyRouter answers for {Note._meta.label} before the router of the role", message)

    def test_after_the_router_of_the_role_it_is_fine(self):
        self.assertEqual(self.hidden(RoleRouter(), GreedyRouter("db_for_read")), [])

    def test_a_router_that_answers_for_its_own_apps_only_is_fine(self):
        self.assertEqual(self.hidden(OtherRouter(), RoleRouter()), [])


class OrderOfAppsTests(SimpleTestCase):
    def test_the_layer_must_come_before_the_admin(self):
        self.assertEqual(check_order_of_apps(None), [])
        # The apps of the layer's tests are the last ones.
        with override_settings(DATABASE_APPS=["databases", "databases.tests.notebook"]):
            (error,) = check_order_of_apps(None)
            self.assertIn(error, run_checks(app_configs=[]))
        self.assertEqual(error.id, "databases.E017")
        self.assertIn("databases.tests.notebook must come before 'django.contrib.admin'", error.msg)
