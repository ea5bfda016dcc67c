"""The command `databases` and its page: which app lives where, which migrations are applied, is it healthy."""

import json
import os
from io import StringIO
from operator import sub
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

from django.conf import settings
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, models, router
from django.db.migrations.recorder import MigrationRecorder
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from django.test.utils import isolate_apps
from django.urls import include, path

from databases import views
from databases.picture import PADDING, Box, boxes_of, draw
from databases.report import Report, _tables, report_all, report_on
from databases.tests.notebook.models import Note
from databases.tests.users import make_superuser

DOWN = mock.patch.object(connection, "cursor", side_effect=OperationalError("to db.example.com as ann"))


urlpatterns = [path("", include("databases.urls")), path("admin/", admin.site.urls)]


def printed(*words: str) -> tuple[str, str]:
    """Return what the command prints, and the message that it fails with."""
    out = StringIO()
    try:
        call_command("databases", *words, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314


# Whatever this project's own pages and middleware are.
@override_settings(ROOT_URLCONF="databases.urls", MIDDLEWARE=[])
class ReportTests(TransactionTestCase):
    # All of them: the command looks at every database.
    databases = "__all__"

    def test_every_database_is_listed_and_healthy(self):
        out, _ = printed("--verbosity=2")
        for alias in connections:
            self.assertRegex(out, rf"(?m)^{alias} ")
        self.assertIn("layer_notebook  1 of 1 applied", out)
        # A database that you added may have no role.
        problems = {report.alias: report.problems for report in report_all() if report.role != "?"}
        self.assertEqual(problems, {alias: [] for alias in problems})

    def test_the_command_succeeds_if_every_database_is_healthy(self):
        report = report_on("default")
        report.facts += ["fact"] * 30
        reports = mock.patch("databases.management.commands.databases.report_all", return_value=[report])
        with reports, mock.patch.dict(os.environ, COLUMNS="90"):
            out, error = printed()
        self.assertEqual((error, out.count("fact")), ("", 30))
        self.assertLessEqual(max(map(len, out.splitlines())), 90)

    def test_a_migration_that_waits_is_a_problem_and_the_command_fails(self):
        recorder = MigrationRecorder(connection)
        recorder.record_unapplied("layer_notebook", "0001_initial")
        self.addCleanup(recorder.record_applied, "layer_notebook", "0001_initial")
        problem = "layer_notebook: 1 migration to apply: run `migrate_databases`"
        self.assertEqual(report_on("default").problems, [problem])
        self.assertRegex(printed()[1], "^Unhealthy: default")

    def test_a_migration_that_is_recorded_without_its_table_is_a_problem(self):
        with connection.schema_editor() as editor:
            editor.delete_model(Note)
        self.addCleanup(self.make_table)
        problems = [
            "layer_notebook: recorded as applied, but missing layer_notebook_note: run "
            "`migrate layer_notebook zero --fake --database default` and `migrate_databases`"
        ]
        self.assertEqual(report_on("default").problems, problems)

    def make_table(self):
        with connection.schema_editor() as editor:
            editor.create_model(Note)

    @override_settings(APP_DATABASES={**settings.APP_DATABASES, "layer_notebook": "elsewhere"})
    def test_a_migration_that_is_only_recorded_is_a_detail_and_no_problem(self):
        report = report_on("default")
        # The table is there, as after the move of an app.
        expected = "1 only recorded: its tables are in the elsewhere database; left over here: layer_notebook_note"
        self.assertEqual(report.details["layer_notebook"], expected)
        self.assertEqual(report.problems, [])

    def test_a_database_of_someone_else_needs_its_tables_and_no_migrations(self):
        recorder = MigrationRecorder(connection)
        recorder.record_unapplied("layer_notebook", "0001_initial")
        self.addCleanup(recorder.record_applied, "layer_notebook", "0001_initial")
        with mock.patch("databases.report.is_foreign", return_value=True):
            report = report_on("default")
            self.assertEqual(report.details["layer_notebook"], "1 tables, made by their owner")
            number = sum(int(detail.partition(" ")[0]) for detail in report.details.values() if "tables" in detail)
            self.assertIn(f"{number} tables, made by their owner", report.facts)
            self.assertNotIn("layer_notebook", str(report.problems))
            with connection.schema_editor() as editor:
                editor.delete_model(Note)
            self.addCleanup(self.make_table)
            self.assertIn("layer_notebook: missing layer_notebook_note", report_on("default").problems)

    @isolate_apps("databases.tests.notebook", kwarg_name="isolated")
    def test_tables_of_many_to_many_fields_count_and_views_do_not(self, isolated):
        class Tag(models.Model):  # noqa: DJ008
            alike = models.ManyToManyField("self")

            class Meta:
                app_label = "layer_notebook"

        class View(models.Model):  # noqa: DJ008
            class Meta:
                app_label = "layer_notebook"
                managed = False

        found = _tables(isolated.get_app_config("layer_notebook"))
        self.assertEqual(found, {"layer_notebook_tag", "layer_notebook_tag_alike"})

    def test_models_that_another_router_sends_elsewhere_are_no_problem(self):
        class ElsewhereRouter:
            def allow_migrate(self, db, app_label, **hints):
                return False if app_label == "layer_notebook" else None

        with mock.patch.object(router, "routers", [ElsewhereRouter(), *router.routers]):
            with connection.schema_editor() as editor:
                editor.delete_model(Note)
            self.addCleanup(self.make_table)
            self.assertEqual(report_on("default").problems, [])

    def test_a_database_that_is_down_is_a_problem_without_its_address(self):
        with DOWN:
            report = report_on("default")
        self.assertEqual(report.problems, ["cannot be reached (OperationalError)"])

    def test_the_others_are_reported_while_a_database_is_down(self):
        with DOWN:
            out, error = printed()
        self.assertRegex(error, "^Unhealthy: default")
        self.assertRegex(out, r"(?m)^default .* -  unhealthy$")
        self.assertIn("  PROBLEM: cannot be reached (OperationalError)\n", out)
        for alias in connections:
            self.assertRegex(out, rf"(?m)^{alias} ")

    def test_a_database_that_no_router_serves_is_a_problem(self):
        (problem,) = report_on("elsewhere").problems
        self.assertIn("No router in DATABASE_ROUTERS serves the database 'elsewhere'", problem)

    @override_settings(DEBUG=True, SITE_NAME="<b>O'Brien & Co.")
    def test_the_page_escapes_the_name_of_the_site(self):
        self.assertContains(self.client.get("/databases/"), "&lt;b&gt;O&#x27;Brien &amp; Co.</title>")

    @override_settings(DEBUG=True)
    def test_a_site_without_a_name_has_the_page_too(self):
        del settings.SITE_NAME
        self.assertContains(self.client.get("/databases/"), "this project</title>")

    def test_the_json_holds_every_database(self):
        # As Django's own template for settings has it, for SQLite.
        connection.ensure_connection()
        with mock.patch.dict(connection.settings_dict, NAME=Path(connection.settings_dict["NAME"])):
            found = json.loads(printed("--json")[0])
        self.assertLessEqual({*connections}, {report["alias"] for report in found})
        self.assertTrue(0 < found[0]["latency"] < 60_000)

    def test_the_picture_is_svg_of_every_database(self):
        text = printed("--svg")[0]
        parsed(text)
        for alias in connections:
            self.assertIn(f"{alias} <tspan", text)
        self.assertIn(".picture .box", text)


@override_settings(
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
)
class PageTests(TransactionTestCase):
    databases = "__all__"

    def log_in(self, *, is_staff: bool) -> None:
        user = make_superuser()
        user.is_staff = is_staff
        user.save()
        self.client.force_login(user)

    def test_staff_sees_every_database(self):
        self.log_in(is_staff=True)
        role = mock.Mock(spec=["page_section"], page_section=lambda request: f"a section of {request.path}")
        with (
            mock.patch.object(views, "apps", **{"get_app_configs.return_value": [role]}),
            mock.patch.object(views, "report_servers", return_value=[Report("machine", "server")]),
        ):
            response = self.client.get("/databases/")
        for text in ("a section of /databases/", '<th scope="row">machine</th>'):
            self.assertContains(response, text)
        for alias in connections:
            self.assertContains(response, f"{alias} <tspan")
        self.assertIn("no-store", response["Cache-Control"])

    def test_others_are_sent_to_the_login(self):
        self.assertRedirects(self.client.get("/databases/"), "/admin/login/?next=/databases/")
        self.log_in(is_staff=False)
        self.assertEqual(self.client.get("/databases/").status_code, 302)

    @override_settings(DEBUG=True)
    def test_everyone_sees_it_while_debug_is_on_also_while_a_database_is_down(self):
        with DOWN:
            response = self.client.get("/databases/")
        self.assertContains(response, "cannot be reached (OperationalError)")
        self.assertContains(response, "unhealthy: see below")
        self.assertNotContains(response, "db.example.com")
        for config in settings.DATABASES.values():
            if config.get("PASSWORD"):
                self.assertNotContains(response, config["PASSWORD"])


class PictureTests(SimpleTestCase):
    def test_it_says_who_reads_and_writes(self):
        boxes = [
            Box("books", "primary", ["sqlite"], ["is full"]),
            Box("copy", "copies", access="reads", copy_of="books"),
            Box("<other>", "someone's", access="reads", is_locked=True, writer="a batch"),
        ]
        picture = parsed(draw(boxes))
        name = "{http://www.w3.org/2000/svg}"
        self.assertEqual(len(picture.findall(f"{name}path[@marker-end]")), 5, "3 of the project, 1 copy, 1 writer")
        self.assertEqual(len(picture.findall(f"{name}path[@marker-start]")), 1, "what is written by the project")
        self.assertEqual(len(picture.findall(f"{name}g[@class='lock']")), 1)
        texts = [text.text for text in picture.findall(f"{name}text")]
        self.assertLess(texts.index("sqlite"), texts.index("unhealthy"))
        text = picture.find(f"{name}desc").text
        self.assertIn("books, primary: the project reads and writes it; sqlite; is full.", text)
        self.assertIn("copy, copies: the project reads it; a copy of books.", text)
        self.assertIn("<other>, someone's: the project reads it; a batch writes it.", text)
        words = [word.text for word in picture.findall(f"{name}text/{name}tspan")]
        self.assertEqual(words[-2:], ["a", "batch"])

    def test_a_copy_is_below_its_source(self):
        roles = {"books": "", "logs": "", "copy": "books"}

        def add(boxes: list[Box]) -> None:
            for box in boxes:
                box.copy_of = roles[box.name]

        config = mock.Mock(spec=["add_to_picture"], add_to_picture=add)
        with mock.patch("databases.picture.apps.get_app_configs", return_value=[config]):
            boxes = boxes_of(Report(name, "role", "sqlite", latency=0.5, facts=["is empty"]) for name in roles)
        self.assertEqual([box.name for box in boxes], ["books", "copy", "logs"])
        draw(boxes)
        for above, below in zip(boxes, boxes[1:], strict=False):
            self.assertGreater(below.top, above.top + above.height)
            self.assertEqual([line for _, line in above.baselines], ["sqlite, 0.5 ms", "is empty"])
            places = [above.top, *(place for place, _ in above.baselines), above.top + above.height]
            self.assertGreaterEqual(min(map(sub, places[1:], places)), PADDING)
