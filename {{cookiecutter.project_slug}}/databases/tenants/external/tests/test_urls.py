"""`create_tenant --url`: a tenant's database on a server and an engine of its own."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tempfile
from io import StringIO
from pathlib import Path
from unittest import mock

from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import SimpleTestCase, override_settings

from databases.foreign import source
from databases.report import report_on
from databases.tenants import use_tenant
from databases.tenants.credentials import passwords
from databases.tenants.external import provision, urls
from databases.tenants.external.credentials import store
from databases.tenants.external.tests.readings.models import Reading
from databases.tenants.lifecycle import create_tenant
from databases.tenants.models import Tenant
from databases.tenants.registry_cache import NO_UID
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.scratch_server import ScratchServerTestCase

HIDDEN = "hunter2"
MODELS = [DataPoint, Reading]


class UrlTests(SimpleTestCase):
    def setUp(self):
        # The project may have the drivers of other engines only.
        self.enterContext(mock.patch.object(urls, "find_spec"))

    def test_a_user_is_separated_from_its_url(self):
        for url, bare, user in (
            ("postgresql://ann@db.example.org:5432/acme", "postgresql://db.example.org:5432/acme", "ann"),
            ("mysql://ann%40acme@db/acme?charset=utf8mb4", "mysql://db/acme?charset=utf8mb4", "ann@acme"),
            ("postgresql:///acme", "postgresql:///acme", ""),
            ("sqlite:////srv/acme.sqlite3", "sqlite:////srv/acme.sqlite3", ""),
        ):
            self.assertEqual(urls.split_user(url), (bare, user))

    def test_a_url_with_a_password_is_refused_and_not_quoted(self):
        for url in (
            f"postgresql://ann:{HIDDEN}@db/acme",
            f"postgresql://ann:5/{HIDDEN}@db/acme",
            f"postgresql://ann:5?{HIDDEN}@db/acme",
            f"postgresql://ann:#{HIDDEN}@db/acme",
            f"postgresql://ann:{HIDDEN}",
            f"postgresql://ann:{HIDDEN}/acme",
            f"postgresql://db/acme?password={HIDDEN}",
            f"mysql://db/acme?passwd={HIDDEN}",
            f"mysql://db/acme?user={HIDDEN}",
            f"oracle://ann@{HIDDEN}/acme",
            f"{HIDDEN}@db",
        ):
            with self.subTest(url), self.assertRaisesMessage(ValueError, "must look like") as refusal:
                urls.split_user(url)
            self.assertNotIn(HIDDEN, str(refusal.exception))
            self.assertTrue(refusal.exception.__context__ is None or refusal.exception.__suppress_context__)

    def test_pools_and_transactions_of_requests_are_refused(self):
        for parameter in ("pool=true", "ATOMIC_REQUESTS=on"):
            with self.subTest(parameter), self.assertRaisesMessage(ValueError, "no parameter whose name contains"):
                urls.split_user(f"postgresql://db/acme?{parameter}")

    def test_engine_and_address_follow_from_the_url_and_credentials_from_the_row(self):
        for scheme, engine in (("postgresql", "postgresql"), ("mysql", "mysql"), ("sqlite", "sqlite3")):
            address, place = ("", ("", "")) if scheme == "sqlite" else ("db:1", ("db", 1))
            row = Tenant(slug="acme", server="", database=f"{scheme}://{address}/srv/acme", user="ann")
            with mock.patch.object(passwords, "reveal", return_value=HIDDEN):
                entry = row.info.entry
            self.assertEqual(entry["ENGINE"], f"databases.tenants.backends.{engine}")
            self.assertEqual((entry["HOST"], entry["PORT"], entry["USER"]), (*place, "ann"))

    def test_another_url_needs_another_connection(self):
        rows = [Tenant(slug="acme", uid=NO_UID, server="", database=f"sqlite:////srv/{each}") for each in "aab"]
        self.assertEqual(len({row.info.connection_key for row in rows}), 2)

    def test_the_servers_user_and_password_are_not_sent_to_a_url(self):
        server = {**settings.TENANT_SERVERS["default"], "USER": "admin", "PASSWORD": HIDDEN}
        with override_settings(TENANT_SERVERS={"default": server}):
            config = Tenant(slug="acme", server="", database="postgresql://db/acme").connection_settings()
        self.assertEqual((config["USER"], config["PASSWORD"]), ("", ""))

    def test_a_missing_driver_is_an_error_that_says_what_to_install(self):
        for url, package in (("postgresql://db/acme", "'psycopg[binary]'"), ("mysql://db/acme", "'mysqlclient'")):
            missing = mock.patch.object(urls, "find_spec", return_value=None)
            with missing, self.assertRaisesMessage(LookupError, f"install {package}"):
                urls.settings_of(url)

    def test_web_processes_limit_their_waits(self):
        url = "sqlite:////srv/acme.sqlite3"
        self.assertNotIn("timeout", urls.settings_of(url)["OPTIONS"])
        with mock.patch.object(apps.get_app_config("tenants"), "is_serving", True):
            self.assertEqual(urls.settings_of(url)["OPTIONS"]["timeout"], settings.DATABASE_STATEMENT_SECONDS)


class CreateTests(ScratchServerTestCase):
    """On SQLite files that no server in `TENANT_SERVERS` has."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.slug, self.other = self.new_slug(), self.new_slug()
        self.enterContext(mock.patch.object(source, "models_of", return_value=MODELS))
        self.mine, self.another, self.empty = map(self.url, ("mine", "another", "empty"))
        for name in ("mine", "another"):
            self.make_tables(name)
        (self.folder / "empty").touch()

    def url(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}"

    def make_tables(self, name: str) -> None:
        """Make what the models read, as the owner of the database does."""
        with contextlib.closing(sqlite3.connect(self.folder / name)) as file, file:
            for model in MODELS:
                columns = ", ".join(field.column for field in model._meta.fields)
                file.execute(f"CREATE TABLE {model._meta.db_table} ({columns})")
            file.execute("INSERT INTO layer_points_datapoint (id, name) VALUES (1, ?)", [name])

    def create(self, *words: str, slug: str = "", stdin: str = "") -> str:
        """Return what `create_tenant` prints. Raises `CommandError`."""
        self.close_connections()
        stdout = StringIO()
        with mock.patch.object(sys, "stdin", StringIO(stdin)):
            call_command("create_tenant", slug or self.slug, *words, stdout=stdout)
        return stdout.getvalue()

    def refuse(self, message: str, *words: str, slug: str = "") -> None:
        with self.assertRaisesMessage(CommandError, message) as refusal:
            self.create(*words, slug=slug)
        self.assertEqual(len(str(refusal.exception).splitlines()), 1)

    def row(self) -> Tenant:
        return Tenant.objects.get(slug=self.slug)

    def name(self) -> str:
        """Return the name that the tenant's own row has, for a new request."""
        self.close_connections()
        with use_tenant(self.slug):
            return DataPoint.objects.values_list("name", flat=True).get(pk=1)

    def test_a_tenant_at_a_url_is_registered_and_used(self):
        for words in (["--url", self.mine], ["--url", self.mine], []):
            self.assertEqual(self.create(*words), f"{self.slug}: active, in the database {self.mine}\n")
        row = self.row()
        self.assertEqual((row.server, row.database, row.user, row.password), ("", self.mine, "", ""))
        self.assertEqual(self.name(), "mine")

    def test_a_password_from_standard_input_is_stored_encrypted(self):
        self.create("--url", self.mine.replace("://", "://ann@"), stdin=f"{HIDDEN}\n")
        row = self.row()
        self.assertEqual((row.database, row.user), (self.mine, "ann"))
        self.assertNotIn(HIDDEN, f"{vars(row)}")
        self.assertEqual(passwords.reveal(row.password), HIDDEN)

    def test_a_password_in_the_environment_is_stored_by_name(self):
        url = self.mine.replace("://", "://ann@")
        self.refuse("The environment variable ACME_PASSWORD", "--url", url, "--password-env", "ACME_PASSWORD")
        with mock.patch.dict(os.environ, {"ACME_PASSWORD": HIDDEN}):
            self.create("--url", url, "--password-env", "ACME_PASSWORD")
        self.assertEqual(self.row().password, "env:ACME_PASSWORD")

    def test_options_that_exclude_each_other_are_refused(self):
        self.refuse("--url and --database exclude each other", "--url", self.mine, "--database", "x")
        self.refuse("needs a --url with a user", "--database", "x", "--password-env", "ACME_PASSWORD")
        self.refuse("needs a --url with a user", "--url", self.mine, "--password-env", "ACME_PASSWORD")
        self.refuse("It must hold no password", "--url", f"postgresql://ann:{HIDDEN}@db/acme")
        self.assertFalse(Tenant.objects.exists())

    def test_a_wrong_url_can_be_corrected_while_the_tenant_is_pending(self):
        self.refuse("there is no file", "--url", self.url("misspelt"))
        self.assertEqual(self.row().status, Tenant.Status.PENDING)
        self.create("--url", self.mine)
        self.assertEqual(self.name(), "mine")

    def test_an_opened_tenant_follows_its_owner_to_a_database_that_passes_the_check(self):
        self.create("--url", self.mine)
        self.assertEqual(self.name(), "mine")
        self.create("--url", self.another)
        self.assertEqual(self.name(), "another")

    def test_an_opened_tenant_stays_where_it_is_if_the_check_fails(self):
        self.create("--url", self.mine)
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        self.refuse("layer_points.DataPoint: the table", "--url", self.empty)
        self.refuse("there is no file", "--url", self.url("misspelt"))
        self.refuse("", "--database", "misspelt")
        self.assertEqual((self.row().database, self.row().status), (self.mine, Tenant.Status.SUSPENDED))
        self.assertEqual(self.name(), "mine")

    def test_an_address_that_was_changed_meanwhile_is_not_overwritten(self):
        self.create("--url", self.mine)
        check = provision.make_ready

        def meanwhile(tenant: Tenant) -> None:
            check(tenant)
            Tenant.objects.update(user="bob")

        with mock.patch.object(provision, "make_ready", meanwhile):
            self.refuse("was changed by another process in the meantime", "--url", self.another)
        self.assertEqual((self.row().database, self.row().user), (self.mine, "bob"))

    def test_credentials_for_a_url_are_not_kept_for_a_server(self):
        with mock.patch.object(provision, "make_ready"):
            create_tenant(self.slug, database=self.mine, user="ann", password="env:PATH")
            for status in (Tenant.Status.PENDING, Tenant.Status.ACTIVE):
                Tenant.objects.update(status=status, server="", database=self.mine, user="ann", password="env:PATH")
                with mock.patch.object(provision, "maintenance_connection"):
                    create_tenant(self.slug, database="acme")
                row = self.row()
                self.assertEqual((row.server, row.database, row.user, row.password), ("default", "acme", "", ""))

    def test_the_database_of_another_tenant_is_refused(self):
        with mock.patch.object(provision, "make_ready"), mock.patch.object(urls, "find_spec"):
            create_tenant(self.other, database="postgresql://DB/acme", user="ann", password="env:MISSING")
        server = {"ENGINE": "django.db.backends.postgresql", "NAME": "{name}", "HOST": "db", "PORT": ""}
        taken = f"belongs to the tenant '{self.other}' already"
        with override_settings(TENANT_SERVERS={"default": server}), mock.patch.object(urls, "find_spec"):
            self.refuse(taken, "--url", "postgresql://db:5432/acme")
            self.refuse(taken, "--database", "acme")
            Tenant.objects.update(server="default", database="acme")
            self.refuse(taken, "--url", "postgresql://db/acme")

    def test_lists_and_reports_show_the_url(self):
        self.create("--url", self.mine.replace("://", "://ann@"), stdin=f"{HIDDEN}\n")
        self.close_connections()
        stdout = StringIO()
        call_command("list_tenants", stdout=stdout)
        self.assertEqual(stdout.getvalue(), f"{self.slug}\tactive\t\t{self.mine}\t{self.slug}\n")
        report = report_on(self.row().alias)
        self.assertEqual((report.engine, report.name), ("sqlite", str(self.folder / "mine")))

    def test_rotate_credentials_stores_others_for_the_same_url(self):
        self.create("--url", self.mine)
        self.close_connections()
        store(self.slug, "ann", HIDDEN)
        row = self.row()
        self.assertEqual((row.database, row.user, row.connection_settings()["PASSWORD"]), (self.mine, "ann", HIDDEN))
        self.assertEqual(connections[row.alias].settings_dict["USER"], "ann")
