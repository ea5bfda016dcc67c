"""What a process knows of its servers: which one may answer, and that no request waits for one that hangs."""

import threading
from contextlib import ExitStack
from unittest import mock

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.test import SimpleTestCase, override_settings, tag

from databases.replicas import positions, watch
from databases.replicas.positions import Answer
from databases.replicas.tests.fresh_replicas import forget_everything
from databases.replicas.watch import problem
from databases.tests import production

#: A primary, and a standby that has everything.
PRIMARY = Answer(position=100, timeline=2, cluster=7, follows=False)
STANDBY = Answer(position=100, timeline=2, cluster=7)


class ClockTests(SimpleTestCase):
    """Has a clock that stands still, and a replica that is another server than the primary."""

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        self.now = 1000.0
        for patch in (
            mock.patch.object(watch, "monotonic", lambda: self.now),
            mock.patch.object(watch, "is_primary_itself", return_value=False),
            mock.patch.object(watch, "has_positions", return_value=True),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def ask(self, alias: str, answer: Answer | Exception):
        """Let a server answer now."""
        known = watch.server(alias)
        known.asked_at = self.now
        with mock.patch.object(positions, "ask", mock.Mock(side_effect=[answer])):
            watch._ask(alias, known)

    def answers(self, replica: Answer | Exception, primary: Answer | Exception = PRIMARY):
        self.ask("replica", replica)
        self.ask(DEFAULT_DB_ALIAS, primary)


class ProblemTests(ClockTests):
    def test_a_standby_that_has_everything_may_answer(self):
        self.answers(STANDBY)
        self.assertEqual(problem("replica"), "")

    def test_one_that_was_never_asked_or_fails_may_not(self):
        self.assertEqual(problem("replica"), watch.UNASKED)
        self.answers(OperationalError("to db.example.com as ann"))
        self.assertEqual(problem("replica"), "cannot be used (OperationalError)")
        error = OperationalError("to db.example.com as ann")
        error.__cause__ = TimeoutError()
        self.answers(error)
        self.assertEqual(problem("replica"), "cannot be used (TimeoutError)")
        self.answers(STANDBY)
        self.assertEqual(problem("replica"), "")

    def test_an_answer_to_an_older_question_does_not_clear_an_error(self):
        known = watch.server("replica")
        known.asked_at = self.now - 1
        known.fail(OperationalError())
        with mock.patch.object(positions, "ask", return_value=STANDBY):
            watch._ask("replica", known)
        self.assertIn("cannot be used", problem("replica"))

    def test_one_that_answered_long_ago_may_not(self):
        self.answers(STANDBY)
        self.now += 1.9
        self.assertEqual(problem("replica"), "")
        self.now += 0.2
        self.assertEqual(problem("replica"), watch.UNASKED)

    def test_a_server_that_follows_nobody_may_not(self):
        self.answers(STANDBY._replace(follows=False))
        self.assertEqual(problem("replica"), "is not a standby")

    def test_a_standby_of_another_cluster_may_not(self):
        self.answers(STANDBY._replace(cluster=8))
        self.assertEqual(problem("replica"), "belongs to another cluster than the primary")

    def test_a_standby_of_another_timeline_may_not(self):
        for timeline in (1, 3):
            self.answers(STANDBY._replace(timeline=timeline))
            self.assertEqual(problem("replica"), f"is on timeline {timeline}, and the primary is on 2")

    def test_who_may_not_ask_for_identity_is_told_by_position(self):
        self.answers(STANDBY._replace(cluster=None, timeline=0))
        self.assertEqual(problem("replica"), "")
        self.answers(STANDBY._replace(cluster=None, timeline=0, position=101))
        self.assertEqual(problem("replica"), "is ahead of the primary")

    def test_a_standby_that_answered_after_the_primary_may_have_more(self):
        self.ask(DEFAULT_DB_ALIAS, PRIMARY)
        self.now += 0.5
        self.ask("replica", STANDBY._replace(position=120))
        self.assertEqual(problem("replica"), "")

    def test_a_standby_that_has_replayed_nothing_may_not(self):
        self.answers(STANDBY._replace(position=None))
        self.assertEqual(problem("replica"), watch.UNKNOWN_LAG)

    def test_while_the_primary_is_down_an_old_page_is_better_than_none(self):
        self.answers(STANDBY._replace(position=50))
        self.now += 60
        self.answers(STANDBY._replace(position=50), OperationalError())
        self.assertEqual(problem("replica"), "")
        # It is still known which cluster and timeline the primary was.
        self.answers(STANDBY._replace(timeline=1), OperationalError())
        self.assertIn("is on timeline 1", problem("replica"))

    def test_a_primary_without_positions_is_taken_to_be_there(self):
        with mock.patch.object(watch, "has_positions", return_value=False):
            self.assertTrue(watch.primary_answers())

    def test_a_primary_that_follows_is_none(self):
        for position in (100, 50, None):
            self.answers(STANDBY, STANDBY._replace(position=position))
            self.assertFalse(watch.primary_answers())
            # So nothing is compared with it.
            self.assertEqual(problem("replica"), "")


@override_settings(REPLICA_MAX_LAG_SECONDS=10)
class LagTests(ClockTests):
    def at(self, now: float, primary: int, replica: int) -> str:
        """Return the problem of a replica after both have answered at a time."""
        self.now = now
        self.answers(STANDBY._replace(position=replica), PRIMARY._replace(position=primary))
        return problem("replica")

    def test_unknown_lag_is_not_none(self):
        self.assertEqual(self.at(1000, 100, 50), watch.UNKNOWN_LAG)
        self.assertEqual(watch.lag(50), (0.0, None))

    def test_lag_is_known_when_it_shows_what_the_primary_had(self):
        self.at(1000, 100, 50)
        self.assertEqual(self.at(1001, 150, 100), "")
        self.assertEqual(watch.lag(100), (0.0, 1.0))

    def test_the_first_write_after_a_quiet_hour_is_no_hour_of_lag(self):
        self.at(1000, 100, 100)
        self.at(4600, 100, 100)
        self.assertEqual(self.at(4601, 140, 100), "")
        self.assertEqual(watch.lag(100), (0.0, 1.0))

    def test_one_that_lags_may_not_answer_however_it_catches_up(self):
        # It shows at each moment what the primary had twelve seconds earlier.
        found = [self.at(1000 + second, 100 + second, 88 + second) for second in range(40)]
        self.assertEqual(found[0], watch.UNKNOWN_LAG)
        self.assertEqual(set(found[11:]), {"is more than 10 seconds behind"})

    def test_one_that_lags_a_little_may_answer(self):
        found = [self.at(1000 + second, 100 + second, 97 + second) for second in range(40)]
        self.assertEqual(set(found[3:]), {""})

    def test_one_that_stands_still_may_not_answer_when_the_time_is_over(self):
        self.at(1000, 100, 100)
        self.assertEqual(self.at(1010, 110, 100), "")
        self.assertEqual(self.at(1010.5, 111, 100), watch.UNKNOWN_LAG)
        self.assertEqual(self.at(1020, 112, 100), watch.UNKNOWN_LAG)
        self.assertEqual(self.at(1020.5, 112, 100), "is more than 10 seconds behind")

    def test_after_a_failover_nobody_shows_what_the_old_primary_had(self):
        silent = STANDBY._replace(timeline=0)
        self.answers(silent)
        self.assertEqual(problem("replica"), "")
        self.now += 1
        self.answers(silent, PRIMARY._replace(timeline=3, position=150))
        self.assertEqual(problem("replica"), watch.UNKNOWN_LAG)

    def test_positions_of_an_old_timeline_do_not_count(self):
        self.at(1000, 500, 100)
        self.now = 1015
        # The new primary is not as far as the old one was.
        self.answers(STANDBY._replace(timeline=3, position=110), PRIMARY._replace(timeline=3, position=120))
        self.assertEqual(problem("replica"), watch.UNKNOWN_LAG)

    def test_the_history_has_an_end(self):
        for second in range(0, 1000, 5):
            self.at(1000 + second, 100, 100)
        self.assertLess(len(watch._history), 20)


class ThreadTests(SimpleTestCase):
    """Asks in real threads, by a clock that moves only while a request waits for a frozen server."""

    def setUp(self):
        forget_everything()
        self.addCleanup(forget_everything)
        self.now = 0.0
        self.asked: list[str] = []
        self.waited: list[float] = []
        self.frozen: set[str] = set()
        self.asks = {alias: threading.Event() for alias in ("default", "replica")}
        self.thaw = threading.Event()
        self.join = threading.Thread.join
        stack = ExitStack()
        self.addCleanup(stack.close)
        self.addCleanup(self.end_threads)
        for patch in (
            mock.patch.object(watch, "monotonic", lambda: self.now),
            mock.patch.object(watch, "has_positions", return_value=True),
            mock.patch.object(watch, "is_primary_itself", return_value=False),
            mock.patch.object(positions, "ask", self.ask),
            # Of these tests' servers there is nothing to close.
            mock.patch.object(watch, "connections", {alias: mock.Mock(alias=alias) for alias in self.asks}),
            mock.patch("threading.Thread.join", lambda thread, timeout: self.wait(thread, timeout)),
        ):
            stack.enter_context(patch)

    def end_threads(self):
        # Before the servers of the test are taken away.
        self.thaw.set()
        for thread in threading.enumerate():
            if thread.name.startswith("asks "):
                self.join(thread)

    def ask(self, connection: mock.Mock) -> Answer:
        self.asked.append(connection.alias)
        self.asks[connection.alias].set()
        if connection.alias in self.frozen:
            self.thaw.wait()
        return PRIMARY if connection.alias == DEFAULT_DB_ALIAS else STANDBY

    def wait(self, thread: threading.Thread, timeout: float):
        alias = thread.name.removeprefix("asks ")
        if alias not in self.frozen:
            self.join(thread)
            return
        self.asks[alias].wait()
        self.waited.append(timeout)
        self.now += timeout

    def test_the_first_request_waits_for_the_answers(self):
        watch.ask_again(wait=True)
        self.assertEqual(sorted(self.asked), ["default", "replica"])
        self.assertEqual(problem("replica"), "")

    def test_while_answers_are_good_nobody_asks(self):
        watch.ask_again(wait=True)
        watch.ask_again(wait=True)
        self.assertEqual(len(self.asked), 2)

    def test_one_request_waits_for_a_server_that_hangs_and_no_other(self):
        for frozen in ("replica", "default"):
            with self.subTest(frozen):
                forget_everything()
                self.frozen, self.asked, self.waited = {frozen}, [], []
                watch.ask_again(wait=True)
                self.assertEqual(problem("replica"), "does not answer" if frozen == "replica" else "")
                watch.ask_again(wait=True)
                self.assertEqual(self.waited, [settings.REPLICA_ANSWER_SECONDS, 0.0])
                self.assertEqual(self.asked.count(frozen), 1)

    def test_two_servers_that_hang_cost_no_more_than_one(self):
        self.frozen = {"replica", "default"}
        watch.ask_again(wait=True)
        self.assertEqual(self.waited, [settings.REPLICA_ANSWER_SECONDS, 0.0])

    def test_nobody_waits_for_one_that_has_failed_or_whose_answer_is_still_good(self):
        self.frozen = {"replica", "default"}
        watch.server("replica").fail(OperationalError())
        watch.server("default").answered_at = self.now
        watch.ask_again(wait=True)
        self.assertEqual(self.waited, [])
        # They are asked nevertheless.
        for alias in self.frozen:
            self.assertEqual(watch.server(alias).waits_since, self.now)

    def test_a_process_can_end_while_a_server_hangs(self):
        self.frozen = {"replica", "default"}
        watch.ask_again(wait=False)
        asking = {thread.name: thread.daemon for thread in threading.enumerate() if thread.name.startswith("asks ")}
        self.assertEqual(asking, {"asks default": True, "asks replica": True})

    def test_who_must_not_wait_does_not(self):
        self.frozen = {"replica", "default"}
        watch.ask_again(wait=False)
        self.assertEqual(self.waited, [])
        self.assertEqual(problem("replica"), watch.UNASKED)

    def test_requests_at_the_same_time_share_the_question_and_the_answer(self):
        self.frozen = {"replica"}
        watch.ask_again(wait=False)
        watch.ask_again(wait=True)
        self.assertEqual(self.waited, [watch.JOIN_SECONDS])
        self.assertEqual(self.asked.count("replica"), 1)

    def test_a_request_does_not_wait_for_a_thread_that_has_not_started(self):
        class Slow(threading.Thread):
            def start(self):
                # At this moment another request comes.
                watch.ask_again(wait=True)
                super().start()

        with mock.patch.object(watch, "Thread", Slow):
            watch.ask_again(wait=True)
        self.assertEqual(sorted(self.asked), ["default", "replica"])

    def test_one_that_has_failed_is_asked_again_later(self):
        watch.ask_again(wait=True)
        watch.server("replica").fail(OperationalError())
        for age, times in ((watch.ASK_SECONDS, 1), (watch.RETRY_SECONDS, 2)):
            self.now = watch.server("replica").asked_at + age + 0.1
            watch.ask_again(wait=True)
            self.end_threads()
            self.assertEqual(self.asked.count("replica"), times)


#: A process that waits for an answer when it forks, and prints whether its child does.
FORK = """
import json, os
from databases.replicas import watch

watch.server("replica").waits_since = 1.0
reads, writes = os.pipe()
if not os.fork():
    os.write(writes, json.dumps(watch.server("replica").waits_since).encode())
    os._exit(0)
print(os.read(reads, 100).decode())
"""


class ForkTests(SimpleTestCase):
    def test_a_child_process_asks_for_itself(self):
        # No thread of the parent is there that would answer: `gunicorn --preload`.
        self.assertIsNone(production.run(FORK))


@tag("replica")
class SameServerTests(SimpleTestCase):
    databases = {"default", "replica"}

    def test_replicas_are_told_by_their_aliases(self):
        self.assertEqual(watch.aliases(), ["replica"])
        self.assertTrue(watch.is_replica("replica_2"))
        self.assertFalse(watch.is_replica("default") or watch.is_replica("replicas") or watch.is_replica(None))

    def test_a_replica_that_is_the_primary_is_not_asked(self):
        # As in development, where no second server can lag.
        with mock.patch.object(positions, "ask", side_effect=AssertionError("asks")):
            watch.ask_again(wait=True)
        self.assertEqual(problem("replica"), "")

    def test_each_part_of_an_address_makes_another_server(self):
        for key, value in {
            "ENGINE": "another",
            "HOST": "elsewhere",
            "PORT": "1",
            "NAME": "another",
            "OPTIONS": {"service": "another"},
        }.items():
            with self.subTest(key), mock.patch.dict(connections["replica"].settings_dict, {key: value}):
                self.assertFalse(watch.is_primary_itself("replica"))
        self.assertTrue(watch.is_primary_itself("replica"))
