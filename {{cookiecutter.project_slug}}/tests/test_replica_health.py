"""Which replica may answer: it must be there, and not too far behind."""

import json
from collections import Counter
from io import StringIO
from unittest import mock

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.test import SimpleTestCase, TransactionTestCase, tag

from databases import connections as urls
from databases.replica import health
from databases.replica.health import Standing, pick
from databases.replica.positions import Mark

from .fresh_replicas import forget_everything

DOWN = OperationalError("to db.example.com as ann")
#: What drivers raise for a connection that has gone; to Django that is no `DatabaseError`.
GONE = InterfaceError("to db.example.com as ann")


def replicas(**found: Standing | Exception) -> mock._patch:
    """Return a patch that makes replicas stand like this, or fail like this, when they are asked."""

    def look_at(alias: str) -> Standing:
        if isinstance(found[alias], Exception):
            raise found[alias]
        return found[alias]

    return mock.patch.object(health, "look_at", mock.Mock(side_effect=look_at))


@tag("replica")
class PickTests(TransactionTestCase):
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

    def picked(self, after: Mark | None = None) -> set[str]:
        """Return what is picked in many attempts, because the order is random."""
        return {pick(after) for _ in range(40)}

    def test_replicas_share_the_reads(self):
        with replicas(replica=Standing(), replica_2=Standing()):
            self.assertEqual(self.picked(), {"replica", "replica_2"})

    def test_heavier_replicas_are_first_more_often(self):
        heavy = {**connections.settings["replica"], "WEIGHT": 9}
        both = replicas(replica=Standing(), replica_2=Standing())
        with mock.patch.dict(connections.settings, replica_2=heavy), both:
            counted = Counter(pick() for _ in range(1000))
        # Nine in ten; the odds that this fails are far below one in a million.
        self.assertTrue(840 < counted["replica_2"] < 950, counted)

    def test_a_dead_replica_is_skipped_and_tried_again_later(self):
        with replicas(replica=DOWN, replica_2=GONE) as asked, self.assertLogs("databases", "WARNING") as logs:
            self.assertEqual(self.picked(), {"default"})
        self.assertEqual(asked.call_count, 2)
        said = "\n".join(sorted(logs.output))
        self.assertRegex(said, r"replica does not answer as one \(OperationalError\)")
        self.assertRegex(said, r"replica_2 does not answer as one \(InterfaceError\)")
        self.assertNotIn("example.com", str(logs.output))
        with replicas(replica=Standing(), replica_2=DOWN):
            self.assertEqual(self.picked(), {"default"})
            self.now += 11
            with self.assertLogs("databases", "INFO") as logs:
                self.assertEqual(self.picked(), {"replica"})
        self.assertIn("INFO:databases.replica.health:The replica replica is used again", logs.output)

    def test_one_request_at_a_time_tries_what_was_dead(self):
        def look_at(alias: str) -> Standing:
            self.assertEqual(pick(), "default")
            return Standing()

        with mock.patch.object(health, "aliases", return_value=["replica"]):
            with replicas(replica=DOWN), self.assertLogs("databases", "WARNING"):
                pick()
            self.now += 11
            with mock.patch.object(health, "look_at", look_at):
                self.assertEqual(pick(), "replica")

    def test_one_that_lags_is_skipped_and_the_other_answers(self):
        late = Standing(position=5, lag_bytes=100, lag_seconds=10.5)
        with replicas(replica=late, replica_2=Standing()), self.assertLogs("databases", "WARNING") as logs:
            self.assertEqual(self.picked(), {"replica_2"})
        self.assertIn("The replica replica is 10 seconds behind", logs.output[0])

    def test_one_whose_lag_is_not_known_answers(self):
        with replicas(replica=Standing(), replica_2=Standing(position=3)):
            self.assertEqual(self.picked(), {"replica", "replica_2"})

    def test_one_that_has_not_come_to_the_mark_is_passed_over_and_is_not_sick(self):
        with replicas(replica=Standing(position=5), replica_2=Standing(position=6)):
            self.assertEqual(self.picked(Mark(6, 0.0)), {"replica_2"})
            self.assertEqual(self.picked(Mark(7, 0.0)), {"default"})
            self.assertEqual(self.picked(Mark(5, 0.0)), {"replica", "replica_2"})

    def test_inside_a_transaction_none_is_asked(self):
        with replicas(replica=Standing(), replica_2=Standing()) as asked, transaction.atomic():
            self.assertEqual(pick(), "default")
        asked.assert_not_called()

    def test_without_replicas_everything_is_the_primary(self):
        with mock.patch.object(health, "aliases", return_value=[]):
            self.assertEqual(pick(), "default")

    def test_the_replicas_are_the_aliases_of_that_name(self):
        self.assertEqual(health.aliases(), ["replica", "replica_2"])
        self.assertFalse(health.is_replica("default"))


class LagTests(SimpleTestCase):
    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        self.known = health._Known()

    def standing(self, now: float, primary: int | None, *found: float | None) -> Standing:
        """Return how a replica stands at a time, with the primary at a position, and this of the replica's."""
        health._primary = (now, primary)
        with mock.patch.object(health.time, "monotonic", return_value=now):
            return health._standing(self.known, health.Replayed(*found))

    def test_one_that_has_everything_does_not_lag_however_old_its_last_commit_is(self):
        self.assertEqual(self.standing(0, 100, 100, 3600.0), Standing(100, 0, 0.0))

    def test_the_lag_is_the_age_of_the_last_commit_that_it_has(self):
        self.assertEqual(self.standing(0, 100, 60, 2.5), Standing(60, 40, 2.5))

    def test_after_a_quiet_hour_one_that_had_everything_a_moment_ago_does_not_lag_by_an_hour(self):
        self.standing(1000, 100, 100, 3600.0)
        self.assertEqual(self.standing(1001, 140, 100, 3601.0), Standing(100, 40, 1.0))

    def test_while_the_primary_is_away_the_lag_is_not_known(self):
        self.assertEqual(self.standing(0, None, 100, 3600.0), Standing(100, None, None))

    def test_where_the_engine_has_no_positions_the_lag_is_not_known(self):
        self.assertEqual(self.standing(0, 100, None, None), Standing(None, None, None))

    def test_in_words(self):
        self.assertEqual(str(Standing()), "its lag is not known")
        self.assertEqual(str(Standing(0x1600000010, 0, 0.0)), "at 16/10, not behind")
        self.assertEqual(str(Standing(0x10, 3, 1.25)), "at 0/10, 3 bytes behind, 1.2 s")


class WeightTests(SimpleTestCase):
    def entry(self, query: str) -> dict[str, object]:
        return urls.replica(urls.from_url(f"postgresql://app:secret@replica.example.com/app{query}", "X"))

    def test_the_weight_is_taken_out_of_the_query(self):
        entry = self.entry("?weight=3&sslmode=require")
        self.assertEqual(entry["WEIGHT"], 3)
        self.assertEqual(entry["OPTIONS"]["sslmode"], "require")
        self.assertNotIn("weight", entry["OPTIONS"])
        self.assertEqual(self.entry("")["WEIGHT"], 1)

    def test_what_cannot_be_a_weight_is_refused(self):
        for weight in ("0", "-1", "1.5", "heavy"):
            with self.subTest(weight), self.assertRaisesMessage(ImproperlyConfigured, "a weight must be"):
                self.entry(f"?weight={weight}")

    def test_a_replica_that_is_away_does_not_keep_requests_waiting_for_long(self):
        self.assertLessEqual(self.entry("")["OPTIONS"]["connect_timeout"], 5)


@tag("replica")
class ShownTests(TransactionTestCase):
    databases = "__all__"

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)

    def health(self) -> tuple[int, dict]:
        response = self.client.get("/health/", headers={"host": "testserver"})
        return response.status_code, json.loads(response.content)

    def test_the_page_tells_position_and_lag(self):
        with mock.patch("databases.replica.views.look_at", return_value=Standing(0x1600000010, 7, 0.0421)):
            status, told = self.health()
        self.assertEqual(status, 200)
        self.assertTrue(told["primary"]["is_well"])
        self.assertEqual(bool(told["primary"]["position"]), connection.vendor == "postgresql")
        self.assertEqual(
            told["replicas"],
            {"replica": {"is_well": True, "position": "16/10", "lag_bytes": 7, "lag_seconds": 0.042}},
        )

    def test_a_replica_that_lags_or_is_down_is_not_well_and_the_site_is(self):
        for found, says in ((Standing(1, 9, 60.0), "lag_seconds"), (DOWN, "problem")):
            with self.subTest(says), mock.patch("databases.replica.views.look_at", side_effect=[found]):
                status, told = self.health()
                self.assertEqual((status, told["replicas"]["replica"]["is_well"]), (200, False))
                self.assertIn(says, told["replicas"]["replica"])
                self.assertNotIn("example.com", str(told))

    def test_without_the_primary_the_site_is_not_well(self):
        with mock.patch.object(health.positions, "of_primary", side_effect=DOWN):
            status, told = self.health()
        self.assertEqual((status, told["primary"]), (503, {"is_well": False, "problem": "OperationalError"}))

    def test_the_command_tells_it_too_and_fails_for_one_that_lags(self):
        out = StringIO()
        with mock.patch("databases.overview.look_at", return_value=Standing(0x10, 3, 1.25)):
            call_command("databases", stdout=out)
        self.assertIn("replication     at 0/10, 3 bytes behind, 1.2 s", out.getvalue())
        with (
            mock.patch("databases.overview.look_at", return_value=Standing(0x10, 3, 60.0)),
            self.assertRaisesMessage(CommandError, "Not well: replica"),
        ):
            call_command("databases", stdout=out)

    def test_what_stands_for_the_primary_is_not_asked(self):
        # As in development: there is no second server, and so no lag.
        self.assertEqual(health.look_at("replica"), Standing(None, 0, 0.0))
