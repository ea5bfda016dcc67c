"""A URL becomes database settings, or one sentence that names the variable and holds no password."""

import traceback
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import SimpleTestCase, TestCase

from databases.environment import SQLITE, beside, from_url, sqlite


class FromUrlTests(SimpleTestCase):
    def refused(self, url: str) -> str:
        with self.assertRaises(ImproperlyConfigured) as caught:
            from_url(url, "SOME_DATABASE_URL")
        # With its cause: a traceback shows that too.
        return "".join(traceback.format_exception(caught.exception))

    def test_a_url_becomes_a_complete_entry(self):
        entry = from_url("postgresql://ann:p%40ss%2Fword@db.example.com:5433/shop", "SOME_DATABASE_URL")
        self.assertNotIn("p@ss", repr(entry))
        self.assertEqual(entry["ENGINE"], "django.db.backends.postgresql")
        self.assertEqual((entry["HOST"], entry["PORT"], entry["NAME"]), ("db.example.com", 5433, "shop"))
        self.assertEqual((entry["USER"], entry["PASSWORD"]), ("ann", "p@ss/word"))
        self.assertEqual(from_url("postgres://ann@db/shop", "SOME_DATABASE_URL")["ENGINE"], entry["ENGINE"])

    def test_a_connection_stays_open_unless_the_url_says_otherwise(self):
        for query, age in (("", 60), ("?conn_max_age=0", 0)):
            self.assertEqual(from_url(f"postgresql://ann@db/shop{query}", "X")["CONN_MAX_AGE"], age)

    def test_a_sqlite_path_keeps_spaces_and_plus_signs(self):
        entry = from_url("sqlite:////srv/my%20data/a%2Bb.sqlite3", "SOME_DATABASE_URL")
        self.assertEqual(entry["NAME"], "/srv/my data/a+b.sqlite3")

    def test_a_relative_path_begins_at_the_projects_folder(self):
        self.assertEqual(from_url("sqlite:///a/b.sqlite3", "X")["NAME"], str(settings.BASE_DIR / "a/b.sqlite3"))

    def test_a_missing_url_is_refused_unless_there_is_something_else(self):
        self.assertIn("SOME_DATABASE_URL must be a URL", message := self.refused(""))
        self.assertIn("it is not set, which only DEBUG=on allows", message)
        self.assertEqual(from_url("", "SOME_DATABASE_URL", {"ENGINE": "x"}), {"ENGINE": "x"})

    def test_no_message_holds_any_part_of_the_url(self):
        for url in (
            "oracle://ann:s3cret@host/db",
            "postgresql://ann:s3cret@host:s3cret/db",
            "postgresql://ann:s3c/ret@host/db",
            "postgresql://ann:s3cret@host",
            "s3cret",
        ):
            with self.subTest(url):
                message = self.refused(url)
                self.assertIn("SOME_DATABASE_URL must be a URL", message)
                self.assertNotIn("s3c", message)

    def test_a_database_in_memory_is_refused(self):
        # Each thread would get another, empty one.
        self.refused("sqlite://:memory:")


class BesideTests(SimpleTestCase):
    def test_another_database_on_the_same_server(self):
        options = {"sslmode": "require"}
        entry = {"ENGINE": "django.db.backends.postgresql", "HOST": "db", "NAME": "one", "OPTIONS": options}
        self.assertEqual(beside(entry, "two"), {**entry, "NAME": "two", "ATOMIC_REQUESTS": False})
        self.assertEqual(entry["NAME"], "one")

    def test_the_pool_and_the_transaction_of_each_request_are_left_out(self):
        entry = {"ENGINE": "django.db.backends.postgresql", "NAME": "one", "ATOMIC_REQUESTS": True}
        found = beside({**entry, "OPTIONS": {"pool": True, "sslmode": "require"}}, "two")
        self.assertEqual((found["ATOMIC_REQUESTS"], found["OPTIONS"]), (False, {"sslmode": "require"}))
        # Statements there get no limit: `databases.serving` changes our own databases only.

    def test_another_file_in_the_same_folder(self):
        entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/one.sqlite3"}
        self.assertEqual(beside(entry, "two")["NAME"], "/srv/two.sqlite3")


class LimitTests(SimpleTestCase):
    def test_every_wait_for_a_server_is_limited_and_the_url_wins(self):
        options = from_url("postgresql://ann:x@db/shop?keepalives_idle=9&sslmode=require", "X")["OPTIONS"]
        self.assertLessEqual(options["connect_timeout"], 5)
        self.assertLessEqual(options["tcp_user_timeout"], 10_000)
        self.assertEqual((int(options["keepalives_idle"]), options["sslmode"]), (9, "require"))
        self.assertLessEqual(options["keepalives_interval"] * options["keepalives_count"], 10)
        self.assertLessEqual(from_url("mysql://ann:x@db/shop", "X")["OPTIONS"]["connect_timeout"], 5)

    def test_a_file_needs_no_limits(self):
        entry = sqlite(Path("/srv/one.sqlite3"))
        self.assertEqual((entry["ENGINE"], entry["NAME"]), (SQLITE, "/srv/one.sqlite3"))
        self.assertEqual(from_url("sqlite:////srv/one.sqlite3", "X")["OPTIONS"], {})


class SessionTests(TestCase):
    def test_a_session_begins_in_the_time_zone_that_django_wants(self):
        if connection.vendor != "postgresql":
            return
        session = connection.get_new_connection(connection.get_connection_params())
        self.addCleanup(session.close)
        self.assertEqual(session.info.parameter_status("TimeZone"), connection.timezone_name)
