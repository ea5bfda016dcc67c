"""Which replica answers: one that may, and that a connection can be opened to."""

import contextlib
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from unittest import mock

from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, connection, connections
from django.test import SimpleTestCase, TransactionTestCase, override_settings, tag

from databases.environment import ENGINES
from databases.replicas import choice, positions, watch
from databases.replicas.choice import choose, name_of
from databases.replicas.positions import Answer, Mark
from databases.replicas.settings import replica_databases
from databases.replicas.tests.fresh_replicas import forget_everything
from databases.replicas.visits import NOTHING
from databases.tests.notebook.models import Note

#: What drivers raise for a lost connection. Its class is no subclass of `DatabaseError`.
LOST = InterfaceError("to db.example.com as ann")


@tag("replica")
class ChoiceTests(TransactionTestCase):
    """Has two replicas, whose problems and answers the tests decide."""

    databases = {"default", "replica"}

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        self.problems: dict[str, str] = {}
        second = {**connections.settings["replica"], "NAME": "second"}
        for patch in (
            mock.patch.dict(connections.settings, replica_2=second),
            mock.patch.object(watch, "problem", lambda alias: self.problems.get(alias, "")),
            mock.patch.object(watch, "ask_again"),
            mock.patch.object(watch, "primary_answers", return_value=True),
            mock.patch.object(choice, "_opens", return_value=True),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def chosen(self, after: Mark = NOTHING, homes: tuple[str, ...] = ()) -> set[str]:
        """Return the choices of many attempts, because the order is random."""
        return {choose(after, homes) for _ in range(40)}

    def test_replicas_share_the_reads(self):
        self.assertEqual(self.chosen(), {"replica", "replica_2"})

    def test_heavier_replicas_are_first_more_often(self):
        with mock.patch.dict(connections.settings["replica_2"], WEIGHT=9):
            counted = Counter(choose(NOTHING) for _ in range(1000))
        # Nine in ten; the odds that this fails are far below one in a million.
        self.assertTrue(840 < counted["replica_2"] < 950, counted)

    def test_one_with_a_problem_does_not_answer_and_the_log_says_so_once(self):
        self.problems["replica"] = "is more than 10 seconds behind"
        with self.assertLogs("databases", "INFO") as logs:
            self.assertEqual(self.chosen(), {"replica_2"})
            self.problems["replica"] = "does not answer"
            self.assertEqual(self.chosen(), {"replica_2"})
            self.problems.clear()
            self.assertEqual(self.chosen(), {"replica", "replica_2"})
        self.assertEqual(
            [record.getMessage() for record in logs.records],
            [
                "The replica replica is more than 10 seconds behind; others answer until it is healthy",
                "The replica replica is used again",
            ],
        )

    def test_requests_that_wait_for_one_that_hangs_give_up(self):
        waiting, other = mock.Mock(given_up_at=0.0), mock.Mock(given_up_at=0.0)
        for alias, session in (("replica", waiting), ("replica_2", other)):
            choice._sessions[alias].add(session)
        self.problems = {"replica": "does not answer", "replica_2": "is not a standby"}
        watch.server("replica").waits_since = choice.time.monotonic() - 60
        before = choice.time.monotonic()
        with self.assertLogs("databases", "WARNING"):
            choose(NOTHING)
        self.assertGreaterEqual(waiting.given_up_at, before)
        self.assertEqual(other.given_up_at, 0.0)

    def test_unknown_lag_is_not_worth_a_line(self):
        self.problems["replica"] = watch.UNKNOWN_LAG
        with self.assertNoLogs("databases"):
            self.assertEqual(self.chosen(), {"replica_2"})

    def test_a_block_outside_of_requests_waits_for_one_of_unknown_lag(self):
        self.problems = {"replica": watch.UNKNOWN_LAG, "replica_2": "is not a standby"}
        with self.assertLogs("databases", "WARNING"), mock.patch.object(choice, "shows") as shows:
            self.assertEqual({choose(NOTHING, patient=True) for _ in range(20)}, {"replica"})
            shows.assert_called_with("replica", NOTHING, mock.ANY)
            shows.return_value = False
            self.assertEqual(choose(NOTHING, patient=True), "default")

    def test_without_a_replica_the_primary_answers(self):
        self.problems = {"replica": "does not answer", "replica_2": "does not answer"}
        with self.assertLogs("databases", "WARNING"):
            self.assertEqual(self.chosen(), {"default"})
        with mock.patch.object(watch, "aliases", return_value=[]):
            self.assertEqual(self.chosen(), {"default"})

    def test_one_without_the_write_does_not_answer(self):
        watch.server("replica").answer = Answer(5, 1)
        watch.server("replica_2").answer = Answer(6, 1)
        with mock.patch.object(positions, "ask", side_effect=OperationalError):
            self.assertEqual(self.chosen(Mark(1, 5, 0.0)), {"replica", "replica_2"})
            self.assertEqual(self.chosen(Mark(1, 6, 0.0)), {"replica_2"})
            self.assertEqual(self.chosen(Mark(1, 7, 0.0)), {"default"})

    def test_a_visitor_keeps_their_replica(self):
        self.assertEqual(self.chosen(homes=(name_of("replica"),)), {"replica"})
        self.assertEqual(self.chosen(homes=(name_of("replica_2"),)), {"replica_2"})

    def test_a_visitor_whose_replica_is_gone_or_unclear_reads_the_primary(self):
        # What another one shows may be older than what they saw.
        self.problems["replica"] = "does not answer"
        with self.assertLogs("databases", "WARNING"):
            self.assertEqual(self.chosen(homes=(name_of("replica"),)), {"default"})
        self.assertEqual(self.chosen(homes=("0badcafe",)), {"default"})
        self.assertEqual(self.chosen(homes=(name_of("replica"), name_of("replica_2"))), {"default"})

    def test_while_the_primary_is_down_another_replica_is_better_than_nothing(self):
        with mock.patch.object(watch, "primary_answers", return_value=False):
            self.assertEqual(self.chosen(homes=("0badcafe",)), {"replica", "replica_2"})
            self.assertEqual(self.chosen(homes=(name_of("replica"),)), {"replica"})

    def test_a_block_waits_for_all_replicas_together(self):
        times = iter(range(100))
        clock = mock.patch.object(choice.time, "monotonic", lambda: next(times) / 10)
        watch.server("replica").answer = watch.server("replica_2").answer = Answer(5, 1)
        asked = mock.patch.object(positions, "ask", return_value=Answer(5, 1))
        with clock, asked as ask, mock.patch.object(choice.time, "sleep"):
            self.assertEqual(choose(Mark(1, 6, 0.0), patient=True), "default")
        # Each reading of the clock moves it forward by a tenth of a second, and each question needs two.
        self.assertLess(ask.call_count, 9)

    def test_a_replica_is_the_same_when_the_order_of_urls_changes(self):
        before = name_of("replica_2")
        first, second = connections.settings["replica"], connections.settings["replica_2"]
        with mock.patch.dict(connections.settings, replica=second, replica_2=first):
            self.assertEqual(name_of("replica"), before)
            self.assertNotEqual(name_of("replica_2"), before)


class ShowsTests(SimpleTestCase):
    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        self.answers = [Answer(8, 1), Answer(9, 1), Answer(10, 1)]
        watch.server("replica").answer = Answer(7, 1)
        for patch in (
            mock.patch.object(positions, "ask", lambda connection: self.answers.pop(0)),
            mock.patch.object(choice.time, "sleep"),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def shows(self, position: int, wait: float) -> bool:
        return choice.shows("replica", Mark(1, position, 0.0), choice.time.monotonic() + wait)

    def test_a_good_answer_is_enough(self):
        self.assertTrue(self.shows(7, 0))
        self.assertEqual(len(self.answers), 3)

    def test_a_request_asks_once_more(self):
        self.assertTrue(self.shows(8, 0))
        self.assertFalse(self.shows(10, 0))
        self.assertEqual(len(self.answers), 1)
        self.assertEqual(watch.server("replica").answer, Answer(9, 1))

    def test_a_block_waits_until_it_shows(self):
        self.assertTrue(self.shows(10, 60))
        # At once, and then after a pause each time.
        self.assertEqual(choice.time.sleep.call_count, 2)

    def test_one_that_fails_meanwhile_does_not_answer(self):
        with mock.patch.object(positions, "ask", side_effect=OperationalError):
            self.assertFalse(self.shows(10, 60))
        self.assertEqual(watch.server("replica").error, "OperationalError")

    @override_settings(REPLICA_PIN_SECONDS=3600)
    def test_who_says_no_position_is_not_asked(self):
        watch.server("replica").answer = Answer()
        self.assertFalse(choice.shows("replica", Mark(0, None, choice.time.time()), 0.0))
        self.assertEqual(len(self.answers), 3)


@tag("replica")
# Long, so that an answer stays good however slow the machine is.
@override_settings(REPLICA_ANSWER_SECONDS=60)
class OpeningTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        self.addCleanup(connections["replica"].close)

    def failing(self, error: Exception) -> mock._patch:
        return mock.patch.object(connections["replica"], "ensure_connection", side_effect=error)

    def test_one_that_cannot_be_opened_is_not_used_until_it_answers_again(self):
        with mock.patch.object(watch, "is_primary_itself", return_value=False), mock.patch.object(watch, "ask_again"):
            watch.server("replica").answered_at = watch.monotonic()
            with self.failing(LOST), self.assertLogs("databases", "WARNING") as logs:
                self.assertEqual(choose(NOTHING), "default")
            self.assertIn("replica cannot be used (InterfaceError)", logs.output[0])
            self.assertNotIn("example.com", str(logs.output))
            self.assertEqual(choose(NOTHING), "default")

    def test_requests_do_not_join_one_that_waits_for_a_connection(self):
        watch.server("replica").opens_since = choice.time.monotonic() - 0.2
        self.assertEqual(choose(NOTHING), "default")
        watch.server("replica").opens_since = choice.time.monotonic() + 60
        self.assertEqual(choose(NOTHING), "replica")

    def test_it_is_known_since_when_the_first_of_those_waits(self):
        known, seen = watch.server("replica"), []
        note = mock.Mock(side_effect=lambda: seen.append(known.opens_since) or mock.Mock())
        with mock.patch.object(connections["replica"], "cursor", note):
            before = choice.time.monotonic()
            choose(NOTHING)
            self.assertGreaterEqual(seen[0], before)
            known.opens_since = first = choice.time.monotonic() + 60
            choose(NOTHING)
        self.assertEqual(seen[1:], [first])

    def test_after_an_attempt_others_may_try(self):
        with self.failing(OperationalError()):
            choose(NOTHING)
        self.assertIsNone(watch.server("replica").opens_since)

    def test_a_lost_connection_is_replaced(self):
        choose(NOTHING)
        connection = connections["replica"]
        connection.health_check_enabled, connection.health_check_done = True, False
        lost = mock.patch.object(connection, "is_usable", return_value=False)
        # SQLite closes no database in memory.
        with lost, mock.patch.object(connection, "close") as close:
            self.assertEqual(choose(NOTHING), "replica")
        close.assert_called_once_with()


class SettingsTests(SimpleTestCase):
    def entry(self, query: str, engine: str = "postgresql") -> dict[str, object]:
        return replica_databases([f"{engine}://app:secret@replica.example.com/app{query}"], None, 1)["replica"]

    def test_the_weight_is_taken_out_of_the_query(self):
        entry = self.entry("?weight=3&sslmode=require")
        self.assertEqual(entry["WEIGHT"], 3)
        self.assertEqual(entry["OPTIONS"]["sslmode"], "require")
        self.assertNotIn("weight", entry["OPTIONS"])
        self.assertEqual(self.entry("")["WEIGHT"], 1)

    def test_an_invalid_weight_is_refused(self):
        for weight in ("0", "-1", "1.5", "heavy"):
            with self.subTest(weight), self.assertRaisesMessage(ImproperlyConfigured, "a weight must be"):
                self.entry(f"?weight={weight}")

    def test_an_error_names_the_setting(self):
        with self.assertRaisesMessage(ImproperlyConfigured, "REPLICA_DATABASE_URLS"):
            replica_databases(["nonsense"], None, 1)

    def test_connecting_to_a_replica_has_a_short_limit(self):
        self.assertEqual(self.entry("")["POOL"], {"wait_seconds": 1})
        entry = self.entry("", "mysql")
        self.assertEqual((entry["CONN_MAX_AGE"], entry["OPTIONS"]["connect_timeout"]), (0, 1))
        self.assertEqual(entry["ENGINE"], ENGINES["mysql"])

    def test_a_file_is_opened_read_only(self):
        found = replica_databases(["sqlite:////srv/copy.sqlite3"], None, 1)
        self.assertEqual(found["replica"]["NAME"], "file:///srv/copy.sqlite3?mode=ro")

    def test_each_url_is_a_replica(self):
        urls = [f"postgresql://app:secret@{host}.example.com/app" for host in ("one", "two", "three")]
        found = replica_databases(urls, {"ENGINE": "of development"}, 1)
        hosts = {alias: entry["HOST"] for alias, entry in found.items()}
        expected = {"replica": "one.example.com", "replica_2": "two.example.com", "replica_3": "three.example.com"}
        self.assertEqual(hosts, expected)

    def test_without_urls_production_has_none_and_development_reads_the_primary(self):
        self.assertEqual(replica_databases([], None, 1), {})
        self.assertEqual(replica_databases([], {"ENGINE": "x"}, 1), {"replica": {"ENGINE": "x"}})


if connection.vendor == "sqlite":

    @override_settings(REPLICA_ANSWER_SECONDS=60)
    class FileTests(SimpleTestCase):
        """Has a file as a replica, as a tool that copies the primary's file would make it."""

        databases = {"default", "replica"}

        def setUp(self):
            forget_everything()
            self.addCleanup(forget_everything)
            folder = tempfile.TemporaryDirectory()
            self.addCleanup(folder.cleanup)
            self.file = Path(folder.name) / "copy.sqlite3"
            entry = replica_databases([f"sqlite:///{self.file}"], None, 1)["replica"]
            entry = connections.configure_settings({"default": {}, "replica_file": entry})["replica_file"]
            for patch in (
                mock.patch.dict(connections.settings, replica_file=entry),
                mock.patch.object(watch, "aliases", return_value=["replica_file"]),
                # Django lets a test connect only to the databases that its class names.
                mock.patch.object(FileTests, "databases", {"default", "replica_file"}),
            ):
                patch.start()
                self.addCleanup(patch.stop)
            self.addCleanup(self.close)

        def close(self) -> None:
            connections["replica_file"].close()
            del connections["replica_file"]

        def test_it_is_read_and_never_written(self):
            with contextlib.closing(sqlite3.connect(self.file)) as made:
                made.execute("CREATE TABLE layer_notebook_note (id integer, text text, created datetime)")
                made.execute("INSERT INTO layer_notebook_note VALUES (1, 'a copy', '2026-01-01')")
                made.commit()
            self.assertEqual(choose(NOTHING), "replica_file")
            notes = Note.objects.using("replica_file")
            self.assertEqual(notes.get().text, "a copy")
            with self.assertRaisesMessage(OperationalError, "readonly"):
                notes.update(text="written")

        def test_one_that_is_missing_is_not_used_and_not_made(self):
            with self.assertLogs("databases", "WARNING") as logs:
                self.assertEqual(choose(NOTHING), "default")
            self.assertIn("replica_file cannot be used (OperationalError)", logs.output[0])
            self.assertFalse(self.file.exists())
