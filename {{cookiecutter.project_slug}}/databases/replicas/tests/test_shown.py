"""What monitoring sees of the replicas, and what checks warn of."""

import json
from io import StringIO
from unittest import mock

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.checks.registry import registry
from django.core.management import CommandError, call_command
from django.db import connections, models
from django.test import SimpleTestCase, TransactionTestCase, override_settings, tag
from django.test.utils import isolate_apps

from databases.health import _questions
from databases.replicas import checks, health, positions, watch
from databases.replicas.positions import Answer
from databases.replicas.tests.fresh_replicas import forget_everything
from databases.report import report_on

PRIMARY = Answer(position=0x1600000010, timeline=2, cluster=7, follows=False)
STANDBY = PRIMARY._replace(follows=True)


@tag("replica")
@override_settings(ROOT_URLCONF="databases.urls", MIDDLEWARE=["databases.health.middleware"])
class ShownTests(TransactionTestCase):
    """Has a replica that is another server, and answers what the tests say."""

    databases = "__all__"

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        for patch in (
            mock.patch.object(watch, "is_primary_itself", return_value=False),
            mock.patch.object(watch, "has_positions", return_value=True),
            mock.patch.object(watch, "ask_again"),
            # However slow the machine is, an answer stays good.
            mock.patch.object(watch, "monotonic", return_value=1000.0),
            mock.patch.object(connections["replica"], "vendor", "postgresql"),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        self.say(STANDBY)

    def say(self, replica: Answer, primary: Answer = PRIMARY):
        for alias, answer in (("replica", replica), ("default", primary)):
            known = watch.server(alias)
            known.asked_at = watch.monotonic()
            with mock.patch.object(positions, "ask", return_value=answer):
                watch._ask(alias, known)

    def health(self) -> tuple[int, dict]:
        _questions.clear()
        response = self.client.get("/readyz")
        return response.status_code, json.loads(response.content)

    def test_the_page_shows_position_and_lag(self):
        status, shown = self.health()
        self.assertEqual(status, 200)
        self.assertEqual(shown["default"], {"healthy": True, "position": "16/10"})
        lag = shown["replica"].pop("lag_seconds")
        self.assertTrue(0 <= lag < 60, lag)
        self.assertEqual(shown["replica"], {"healthy": True, "position": "16/10", "lag_bytes": 0})

    def test_the_servers_are_asked_before_the_page_says_whether_they_are_well(self):
        watch.forget()
        watch.ask_again.side_effect = lambda *, wait: self.say(STANDBY)
        self.assertEqual(self.health()[0], 200)

    def test_unknown_lag_is_not_shown_as_none(self):
        behind = STANDBY._replace(position=0x1600000003)
        self.say(behind)
        with mock.patch.object(health, "shows", return_value=False):
            status, shown = self.health()
        self.assertEqual(
            shown["replica"],
            {"healthy": False, "problem": watch.UNKNOWN_LAG, "position": "16/3", "lag_bytes": 13},
        )
        self.assertEqual(status, 200)

    def test_a_process_that_has_just_started_waits_until_the_lag_is_known(self):
        self.say(STANDBY._replace(position=0x1600000003))
        with mock.patch.object(positions, "ask", return_value=STANDBY):
            self.assertTrue(self.health()[1]["replica"]["healthy"])

    def test_the_site_is_healthy_without_a_healthy_replica(self):
        watch.server("replica").fail(OSError("db.example.com"))
        status, shown = self.health()
        self.assertEqual(status, 200)
        self.assertEqual(shown["replica"]["problem"], "cannot be used (OSError)")
        self.assertNotIn("example.com", str(shown))

    def test_of_one_that_is_not_used_nothing_is_unverified(self):
        self.say(STANDBY._replace(cluster=None, timeline=0))
        watch.server("replica").fail(OSError())
        self.assertNotIn("unverified", health.status_of("replica"))

    def test_without_the_primary_the_site_is_unhealthy(self):
        watch.server("default").fail(OSError("db.example.com"))
        status, shown = self.health()
        self.assertEqual((status, shown["default"]), (503, {"healthy": False, "problem": "OSError"}))
        watch.forget()
        self.assertEqual(self.health()[1]["default"], {"healthy": False, "problem": "does not answer"})

    def test_without_the_primary_it_is_not_known_how_far_a_replica_is_behind(self):
        watch.server("default").fail(OSError())
        shown = self.health()[1]
        self.assertNotIn("lag_bytes", shown["replica"])

    def test_a_primary_without_positions_is_asked_a_query(self):
        with mock.patch.object(watch, "has_positions", return_value=False):
            self.assertEqual(self.health()[1]["default"], {"healthy": True})

    def test_what_could_not_be_verified_is_said(self):
        self.say(STANDBY._replace(cluster=None, timeline=0), PRIMARY._replace(cluster=None))
        # In this thread, whose connection is patched.
        self.assertEqual(health.status_of("replica")["unverified"], "cluster and timeline")
        (warning,) = checks.check_servers(None, databases=["default", "replica"])
        self.assertEqual(warning.id, "databases.W007")
        self.assertIn("may not ask for the cluster and timeline", warning.msg)
        self.assertIn("FUNCTION pg_control_system(), pg_control_recovery() TO", warning.hint)

    def test_the_check_of_servers_warns_of_one_that_is_not_used(self):
        self.assertEqual(checks.check_servers(None, databases=["default", "replica"]), [])
        self.say(STANDBY._replace(cluster=8))
        self.assertEqual(checks.check_servers(None), [])
        (warning,) = checks.check_servers(None, databases=["replica"])
        self.assertIn("REPLICA_DATABASE_URLS", warning.hint)
        self.assertEqual(
            (warning.id, warning.msg),
            ("databases.W006", "replica belongs to another cluster than the primary, so nothing is read from it."),
        )

    def test_the_command_shows_it_too_and_fails_for_one_that_is_not_used(self):
        out = StringIO()
        self.print_report(out)
        self.assertRegex(out.getvalue(), "replica +replica ")
        self.assertRegex(out.getvalue(), "replication:? +position 16/10, lag_bytes 0")
        self.say(STANDBY._replace(timeline=1))
        with self.assertRaisesMessage(CommandError, "Unhealthy: replica"):
            self.print_report(out)
        self.assertIn("is on timeline 1, and the primary is on 2", out.getvalue())

    def print_report(self, out: StringIO) -> None:
        # Of the replica alone, whatever other databases this project has.
        with mock.patch("databases.management.commands.databases.report_all", lambda: [report_on("replica")]):
            call_command("databases", stdout=out, verbosity=2)


class CheckTests(SimpleTestCase):
    def model_with(self, **fields: models.Field) -> type[models.Model]:
        meta = type("Meta", (), {"app_label": "layer_notebook"})
        return type("Page", (models.Model,), {**fields, "Meta": meta, "__module__": __name__})

    def warned(self, model: type[models.Model]) -> list:
        with mock.patch.object(checks.apps, "get_models", return_value=[model]):
            return checks.check_joins(None)

    @isolate_apps()
    def test_a_key_of_the_user_is_worth_a_warning(self):
        author = models.ForeignKey(get_user_model(), models.CASCADE, related_name="+")
        editor = models.ForeignKey(get_user_model(), models.CASCADE, related_name="+")
        model = self.model_with(author=author, editor=editor)
        (warning,) = self.warned(model)
        self.assertEqual(warning.id, "databases.W005")
        self.assertIn("layer_notebook.Page.author, layer_notebook.Page.editor: a join", warning.msg)
        with override_settings(READ_FROM_PRIMARY=["layer_notebook"]):
            self.assertEqual(self.warned(model), [])
        with override_settings(APP_DATABASES={**settings.APP_DATABASES, "layer_notebook": "elsewhere"}):
            self.assertEqual(self.warned(model), [])

    @isolate_apps()
    def test_other_keys_are_not(self):
        kind = models.ForeignKey(ContentType, models.CASCADE, related_name="+")
        other = models.ForeignKey("self", models.CASCADE, related_name="+")
        self.assertEqual(self.warned(self.model_with(kind=kind, other=other, text=models.TextField())), [])

    def test_the_checks_are_found_by_their_tags(self):
        ours = (check for check in registry.registered_checks if check.__module__ == checks.__name__)
        found = {check.__name__: check.tags for check in ours}
        models_only = dict.fromkeys(("check_names", "check_joins"), ("models",))
        self.assertEqual(found, {**models_only, "check_servers": ("database",)})

    def test_the_models_of_django_are_worth_none(self):
        theirs = [model for model in apps.get_models() if model.__module__.startswith("django.")]
        with mock.patch.object(checks.apps, "get_models", return_value=theirs):
            self.assertEqual(checks.check_joins(None), [])

    def test_a_name_that_is_none_is_an_error(self):
        names = ["layer_notebook", "layer_notebook.note", "layer_notebook.Notes", "layer_stock"]
        with override_settings(READ_FROM_PRIMARY=names):
            found = checks.check_names(None)
        self.assertEqual([error.msg.split("'")[1] for error in found], ["layer_notebook.Notes", "layer_stock"])
        self.assertEqual({error.id for error in found}, {"databases.E019"})
