"""Which replica may answer: it must be available, and not lag too far behind."""

import json
from collections import Counter
from io import StringIO
from unittest import mock

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.test import SimpleTestCase, TransactionTestCase, override_settings, tag

from databases.replicas import health
from databases.replicas.health import ReplicaStatus, choose_replica
from databases.replicas.positions import WritePosition
from databases.replicas.settings import replica_databases
from databases.replicas.tests.fresh_replicas import forget_everything
from databases.report import report_on

DOWN = OperationalError("to db.example.com as ann")
#: What drivers raise for a lost connection. Its class is no subclass of `DatabaseError`.
LOST = InterfaceError("to db.example.com as ann")


def replicas(**found: ReplicaStatus | Exception) -> mock._patch:
    """Return a patch under which replicas answer with this status, or fail with this error."""

    def replica_status(alias: str) -> ReplicaStatus:
        if isinstance(found[alias], Exception):
            raise found[alias]
        return found[alias]

    return mock.patch.object(health, "replica_status", mock.Mock(side_effect=replica_status))


@tag("replica")
class ChoiceTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        for patch in (
            mock.patch.dict(connections.settings, replica_2=connections.settings["replica"]),
            mock.patch.object(health.time, "monotonic", lambda: self.now),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        self.now = 1000.0

    def chosen(self, after: WritePosition | None = None) -> set[str]:
        """Return the choices of many attempts, because the order is random."""
        return {choose_replica(after) for _ in range(40)}

    def test_replicas_share_the_reads(self):
        with replicas(replica=ReplicaStatus(), replica_2=ReplicaStatus()):
            self.assertEqual(self.chosen(), {"replica", "replica_2"})

    def test_heavier_replicas_are_first_more_often(self):
        heavy = {**connections.settings["replica"], "WEIGHT": 9}
        both = replicas(replica=ReplicaStatus(), replica_2=ReplicaStatus())
        with mock.patch.dict(connections.settings, replica_2=heavy), both:
            counted = Counter(choose_replica() for _ in range(1000))
        # Nine in ten; the odds that this fails are far below one in a million.
        self.assertTrue(840 < counted["replica_2"] < 950, counted)

    def test_a_replica_that_is_down_is_skipped_and_tried_again_later(self):
        with replicas(replica=DOWN, replica_2=LOST) as asked, self.assertLogs("databases", "WARNING") as logs:
            self.assertEqual(self.chosen(), {"default"})
        self.assertEqual(asked.call_count, 2)
        said = "\n".join(sorted(logs.output))
        self.assertRegex(said, r"replica cannot be used \(OperationalError\)")
        self.assertRegex(said, r"replica_2 cannot be used \(InterfaceError\)")
        self.assertNotIn("example.com", str(logs.output))
        with replicas(replica=ReplicaStatus(), replica_2=DOWN):
            self.assertEqual(self.chosen(), {"default"})
            self.now += 11
            with self.assertLogs("databases", "INFO") as logs:
                self.assertEqual(self.chosen(), {"replica"})
        self.assertIn("INFO:databases.replicas.health:The replica replica is used again", logs.output)

    def test_one_request_at_a_time_tries_a_replica_that_was_down(self):
        def replica_status(alias: str) -> ReplicaStatus:
            self.assertEqual(choose_replica(), "default")
            return ReplicaStatus()

        with mock.patch.object(health, "aliases", return_value=["replica"]):
            with replicas(replica=DOWN), self.assertLogs("databases", "WARNING"):
                choose_replica()
            self.now += 11
            with mock.patch.object(health, "replica_status", replica_status):
                self.assertEqual(choose_replica(), "replica")

    def test_a_replica_that_lags_is_skipped_and_the_other_answers(self):
        late = ReplicaStatus(position=5, lag_bytes=100, lag_seconds=10.5)
        with replicas(replica=late, replica_2=ReplicaStatus()), self.assertLogs("databases", "WARNING") as logs:
            self.assertEqual(self.chosen(), {"replica_2"})
        self.assertIn("The replica replica is 10 seconds behind", logs.output[0])

    def test_a_replica_of_unknown_lag_answers(self):
        with replicas(replica=ReplicaStatus(), replica_2=ReplicaStatus(position=3)):
            self.assertEqual(self.chosen(), {"replica", "replica_2"})

    def test_a_replica_without_the_write_does_not_answer_and_stays_healthy(self):
        with replicas(replica=ReplicaStatus(position=5), replica_2=ReplicaStatus(position=6)):
            self.assertEqual(self.chosen(WritePosition(6, 0.0)), {"replica_2"})
            self.assertEqual(self.chosen(WritePosition(7, 0.0)), {"default"})
            self.assertEqual(self.chosen(WritePosition(5, 0.0)), {"replica", "replica_2"})

    def test_inside_a_transaction_no_replica_is_asked(self):
        with replicas(replica=ReplicaStatus(), replica_2=ReplicaStatus()) as asked, transaction.atomic():
            self.assertEqual(choose_replica(), "default")
        asked.assert_not_called()

    def test_without_replicas_the_primary_answers(self):
        with mock.patch.object(health, "aliases", return_value=[]):
            self.assertEqual(choose_replica(), "default")

    def test_replicas_are_told_by_their_aliases(self):
        self.assertEqual(health.aliases(), ["replica", "replica_2"])
        self.assertFalse(health.is_replica("default"))


class LagTests(SimpleTestCase):
    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        self.known = health._Known()

    def status(self, now: float, primary: int | None, *found: float | None) -> ReplicaStatus:
        """Return the status of a replica at a time. Arguments: the primary's position, and what the replica answers."""
        health._primary = (now, primary)
        with mock.patch.object(health.time, "monotonic", return_value=now):
            return health._compared(self.known, health.Replayed(*found))

    def test_a_replica_with_everything_does_not_lag_however_old_its_last_commit_is(self):
        self.assertEqual(self.status(0, 100, 100, 3600.0), ReplicaStatus(100, 0, 0.0))

    def test_the_lag_is_the_age_of_the_replicas_last_commit(self):
        self.assertEqual(self.status(0, 100, 60, 2.5), ReplicaStatus(60, 40, 2.5))

    def test_the_first_write_after_a_quiet_hour_is_no_hour_of_lag(self):
        self.status(1000, 100, 100, 3600.0)
        self.assertEqual(self.status(1001, 140, 100, 3601.0), ReplicaStatus(100, 40, 1.0))

    def test_while_the_primary_is_down_the_lag_is_unknown(self):
        self.assertEqual(self.status(0, None, 100, 3600.0), ReplicaStatus(100, None, None))

    def test_on_an_engine_without_positions_the_lag_is_unknown(self):
        self.assertEqual(self.status(0, 100, None, None), ReplicaStatus(None, None, None))

    def test_in_words(self):
        self.assertEqual(str(ReplicaStatus()), "its lag is unknown")
        self.assertEqual(str(ReplicaStatus(0x1600000010, 0, 0.0)), "at 16/10, not behind")
        self.assertEqual(str(ReplicaStatus(0x10, 3, 1.25)), "at 0/10, 3 bytes behind, 1.2 s")


class SettingsTests(SimpleTestCase):
    def entry(self, query: str) -> dict[str, object]:
        return replica_databases([f"postgresql://app:secret@replica.example.com/app{query}"], None)["replica"]

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

    def test_connecting_to_a_replica_has_a_time_limit(self):
        self.assertLessEqual(self.entry("")["OPTIONS"]["connect_timeout"], 5)

    def test_each_url_is_a_replica(self):
        urls = [f"postgresql://app:secret@{host}.example.com/app" for host in ("one", "two", "three")]
        found = replica_databases(urls, {"ENGINE": "of development"})
        hosts = {alias: entry["HOST"] for alias, entry in found.items()}
        expected = {"replica": "one.example.com", "replica_2": "two.example.com", "replica_3": "three.example.com"}
        self.assertEqual(hosts, expected)

    def test_without_urls_production_has_none_and_development_reads_the_primary(self):
        self.assertEqual(replica_databases([], None), {})
        self.assertEqual(replica_databases([], {"ENGINE": "x"}), {"replica": {"ENGINE": "x"}})


@tag("replica")
@override_settings(ROOT_URLCONF="databases.replicas.urls", MIDDLEWARE=[])
class ShownTests(TransactionTestCase):
    databases = "__all__"

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)

    def health(self) -> tuple[int, dict]:
        response = self.client.get("/health/")
        return response.status_code, json.loads(response.content)

    def test_the_page_shows_position_and_lag(self):
        with mock.patch("databases.replicas.views.replica_status", return_value=ReplicaStatus(0x1600000010, 7, 0.0421)):
            status, shown = self.health()
        self.assertEqual(status, 200)
        self.assertTrue(shown["primary"]["healthy"])
        self.assertEqual(bool(shown["primary"]["position"]), connection.vendor == "postgresql")
        self.assertEqual(
            shown["replicas"],
            {"replica": {"healthy": True, "position": "16/10", "lag_bytes": 7, "lag_seconds": 0.042}},
        )

    def test_the_site_is_healthy_without_a_healthy_replica(self):
        for found, says in ((ReplicaStatus(1, 9, 60.0), "lag_seconds"), (DOWN, "problem")):
            with self.subTest(says), mock.patch("databases.replicas.views.replica_status", side_effect=[found]):
                status, shown = self.health()
                self.assertEqual((status, shown["replicas"]["replica"]["healthy"]), (200, False))
                self.assertIn(says, shown["replicas"]["replica"])
                self.assertNotIn("example.com", str(shown))

    def test_without_the_primary_the_site_is_unhealthy(self):
        with mock.patch.object(health.positions, "of_primary", side_effect=DOWN):
            status, shown = self.health()
        self.assertEqual((status, shown["primary"]), (503, {"healthy": False, "problem": "OperationalError"}))

    def test_the_command_shows_it_too_and_fails_for_a_replica_that_lags(self):
        lag = mock.patch("databases.replicas.health.replica_status", return_value=ReplicaStatus(0x10, 3, 1.25))
        out = StringIO()
        with lag:
            self.print_report(out)
        self.assertIn("replication     at 0/10, 3 bytes behind, 1.2 s", out.getvalue())
        late = mock.patch("databases.replicas.health.replica_status", return_value=ReplicaStatus(0x10, 3, 60.0))
        with late, self.assertRaisesMessage(CommandError, "Unhealthy: replica"):
            self.print_report(out)

    def print_report(self, out: StringIO) -> None:
        # Of the replica alone, whatever other databases this project has.
        with mock.patch("databases.management.commands.databases.report_all", lambda: [report_on("replica")]):
            call_command("databases", stdout=out)

    def test_a_replica_that_is_the_primary_is_not_asked(self):
        # As in development, where no second server can lag.
        self.assertEqual(health.replica_status("replica"), ReplicaStatus(None, 0, 0.0))
