"""The pool by itself, with connections of no driver: who gets a place, who waits, and what is closed."""

from __future__ import annotations

import gc
import os
import socket
import threading
import weakref
from unittest import mock

from django.db import DatabaseError
from django.test import SimpleTestCase, override_settings

from databases.tenants import leases, pool
from databases.tenants.leases import Lease, TooManyConnectionsError, left
from databases.tenants.pool import Pool
from databases.tests import production

FORK = """
import os
from databases.tenants.pool import pool
pool._count = 1
child = os.fork()
if not child:
    os._exit(pool.counts()[0])
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


class Raw:
    """Stands in for a connection of a driver: both ends of a socket."""

    def __init__(self) -> None:
        self.ours, self.servers = socket.socketpair()
        self.closed = False

    def fileno(self) -> int:
        return self.ours.fileno()

    def close(self) -> None:
        self.closed = True
        self.ours.close()
        self.servers.close()


class Wrapper:
    """Stands in for Django's connection, whose engine tells whether an idle connection is alive."""

    def __init__(self, idle_seconds: float | None) -> None:
        self.settings_dict = {"IDLE_SECONDS": idle_seconds}

    @staticmethod
    def is_alive(raw: Raw) -> bool:
        return not (raw.closed or leases.is_readable(raw.fileno(), 0))


class PoolTestCase(SimpleTestCase):
    def setUp(self):
        self.pool = Pool()
        self.made: list[Raw] = []
        timer = mock.patch.object(pool.threading, "Timer")
        self.timer = timer.start()
        self.addCleanup(timer.stop)
        self.addCleanup(lambda: [raw.close() for raw in self.made])

    def connect(self) -> Raw:
        self.made.append(Raw())
        return self.made[-1]

    def take(self, key: str, idle_seconds: float | None = 60) -> Lease:
        return self.pool.take(key, self.connect, Wrapper(idle_seconds))

    def use(self, *keys: str) -> None:
        for key in keys:
            self.pool.give_back(self.take(key), reusable=True)

    def idle(self) -> list[str]:
        """Return the keys of the idle connections, idle the longest first."""
        return [str(lease.key) for lease in self.pool._idle]

    def waiting(self, *keys: str, served: list[str]) -> list[threading.Thread]:
        """Return threads that wait for a connection, in this order. Each notes its key when it has one."""

        def wait(key: str) -> None:
            lease = self.take(key)
            served.append(f"{key} {'old' if lease.raw is self.made[0] else 'new'}")
            self.pool.give_back(lease, reusable=True)

        threads = []
        for number, key in enumerate(keys, start=1):
            threads.append(threading.Thread(target=wait, args=[key]))
            threads[-1].start()
            while len(self.pool._waiting) < number and threads[-1].is_alive():
                threading.Event().wait(0.001)
        return threads

    def served_in_order(self, given_back: Lease, *keys: str) -> list[str]:
        """Return what waiting threads get when the only connection is given back."""
        served: list[str] = []
        threads = self.waiting(*keys, served=served)
        self.pool.give_back(given_back, reusable=True)
        for thread in threads:
            thread.join()
        return served


@override_settings(TENANT_CONNECTIONS=3, TENANT_CONNECTION_WAIT=0)
class IdleTests(PoolTestCase):
    def test_each_key_gets_its_own_connections(self):
        self.use("a")
        lease = self.take("a")
        self.assertIs(lease.raw, self.made[0])
        self.assertFalse(lease.is_new)
        other = self.take("b")
        self.assertTrue(other.is_new)
        self.assertEqual((other.key, other.raw, self.pool.counts()), ("b", self.made[1], (2, 0)))

    def test_the_place_of_another_key_is_used_by_a_new_connection(self):
        self.use("a", "b", "c")
        lease = self.take("d")
        self.assertEqual((lease.key, lease.raw, self.pool.counts()), ("d", self.made[3], (1, 2)))
        self.assertEqual([raw.closed for raw in self.made], [True, False, False, False])

    def test_the_least_used_of_those_that_are_idle_the_longest_makes_room(self):
        self.use("a", "a", "b", "b", "c", "d")
        self.assertEqual(self.idle(), ["a", "b", "d"])
        with mock.patch.object(pool, "CANDIDATES", 2):
            self.use("e")
        self.assertEqual(self.idle(), ["b", "d", "e"])

    def test_what_was_used_long_ago_counts_less(self):
        with mock.patch.object(pool, "HALF_LIFE", 8):
            self.use(*"aaaaaabb", *"cbcbcbcb")
            self.use("d")
            self.assertEqual(self.idle(), ["c", "b", "d"])
            # And nothing is kept of who comes no more.
            self.use(*"bbbbbbbbbbbbbbbbbbbbbbbb")
        self.assertNotIn("a", self.pool._uses)

    def test_a_connection_that_the_server_has_ended_is_replaced(self):
        for end in (lambda raw: raw.servers.close(), lambda raw: raw.servers.send(b"bye"), lambda raw: raw.close()):
            self.use("a")
            ended = self.made[-1]
            end(ended)
            lease = self.take("a")
            self.assertIsNot(lease.raw, ended)
            self.assertEqual((ended.closed, self.pool.counts()), (True, (1, 0)))
            self.pool.give_back(lease, reusable=False)

    def test_a_connection_that_cannot_be_made_leaves_its_place(self):
        for keys in ((), ("a", "b", "c")):
            self.use(*keys)
            with mock.patch.object(self, "connect", side_effect=DatabaseError), self.assertRaises(DatabaseError):
                self.take("d")
            self.assertEqual(sum(self.pool.counts()), len(keys) and 2)

    def test_a_connection_that_is_not_reusable_is_closed(self):
        self.pool.give_back(self.take("a"), reusable=False)
        self.pool.give_back(self.take("a", idle_seconds=0), reusable=True)
        self.assertEqual((self.pool.counts(), [raw.closed for raw in self.made]), ((0, 0), [True, True]))

    def test_all_idle_connections_can_be_closed(self):
        self.use("a", "b")
        kept = self.take("c")
        self.pool.close_idle()
        self.assertEqual((self.pool.counts(), kept.raw.closed), ((1, 0), False))

    def test_a_timer_closes_what_is_idle_for_its_time(self):
        self.pool.give_back(self.take("for ever", idle_seconds=None), reusable=True)
        self.timer.assert_not_called()
        self.pool.close_idle()
        self.use("a", "b")
        self.timer.assert_called_once_with(60, self.pool._close_old)
        self.timer.return_value.start.assert_called_once_with()
        self.assertIs(self.timer.return_value.daemon, True)
        first, second = self.pool._idle
        first.idle_since -= 60
        self.pool._close_old()
        self.assertEqual((self.idle(), self.timer.call_count), (["b"], 2))
        second.idle_since -= 60
        self.pool._close_old()
        self.assertEqual((self.pool.counts(), self.timer.call_count), ((0, 0), 2))

    def test_the_timer_is_set_for_the_next_connection_that_gets_too_old(self):
        for key, idle_seconds in (("for ever", None), ("long", 3600), ("short", 60)):
            self.pool.give_back(self.take(key, idle_seconds), reusable=True)
        self.timer.assert_called_once_with(3600, self.pool._close_old)
        for lease in self.pool._idle:
            lease.idle_since -= 30
        with mock.patch.object(pool, "time") as clock:
            clock.monotonic.return_value = lease.idle_since + 40
            self.pool._close_old()
        self.timer.assert_called_with(20, self.pool._close_old)
        self.assertEqual(self.pool.counts(), (0, 3))


@override_settings(TENANT_CONNECTIONS=1, TENANT_CONNECTION_WAIT=30)
class WaitingTests(PoolTestCase):
    def setUp(self):
        super().setUp()
        long = mock.patch.object(pool, "WAITS_LONG", 3600)
        long.start()
        self.addCleanup(long.stop)

    def test_who_waits_for_the_same_database_comes_first(self):
        self.assertEqual(self.served_in_order(self.take("a"), "b", "a"), ["a old", "b new"])

    def test_otherwise_the_first_to_come_is_the_first_to_be_served(self):
        self.assertEqual(self.served_in_order(self.take("a"), "b", "c"), ["b new", "c new"])

    def test_who_has_waited_for_long_comes_before_the_same_database(self):
        with mock.patch.object(pool, "WAITS_LONG", 0):
            self.assertEqual(self.served_in_order(self.take("a"), "b", "a"), ["b new", "a new"])

    def test_a_closed_connection_leaves_its_place_to_the_first(self):
        served: list[str] = []
        lease = self.take("a")
        threads = self.waiting("b", served=served)
        self.pool.give_back(lease, reusable=False)
        for thread in threads:
            thread.join()
        self.assertEqual((served, lease.raw.closed, self.pool.counts()), (["b new"], True, (0, 1)))

    def test_what_an_ended_thread_has_left_is_found_while_others_wait(self):
        served: list[str] = []
        lease = self.take("a")
        threads = self.waiting("b", served=served)
        left.append(lease)
        for thread in threads:
            thread.join()
        self.assertEqual((served, lease.raw.closed), (["b new"], True))

    def test_who_needs_one_more_waits_for_the_time_in_the_settings(self):
        self.take("a")
        looks = mock.patch.object(self.pool, "_close_what_is_left", wraps=self.pool._close_what_is_left)
        often = mock.patch.object(leases, "LOOK_AGAIN", 0.001)
        with mock.patch.object(pool, "time") as clock, mock.patch.object(leases, "time", clock), often, looks as look:
            clock.monotonic.return_value = 1000
            refused = threading.Thread(target=self.assertRaises, args=[TooManyConnectionsError, self.take, "b"])
            refused.start()
            while look.call_count < 9 and refused.is_alive():
                threading.Event().wait(0.001)
            self.assertTrue(refused.is_alive())
            clock.monotonic.return_value = 1030
            refused.join()
        self.assertEqual(self.pool._waiting, {})

    @override_settings(TENANT_CONNECTION_WAIT=0)
    def test_who_has_waited_in_vain_waits_no_more(self):
        lease = self.take("a")
        with self.assertRaisesMessage(TooManyConnectionsError, "raise TENANT_CONNECTIONS"):
            self.take("b")
        self.pool.give_back(lease, reusable=True)
        self.assertEqual(self.pool.counts(), (0, 1))

    def test_who_is_interrupted_while_waiting_takes_no_place(self):
        # By a timeout of gevent, for example, also when the place has just been given to it.
        for reusable, counts in ((None, (1, 0)), (True, (0, 1)), (False, (0, 0))):
            lease = self.take("a")

            def interrupt(lease: Lease = lease, reusable: bool | None = reusable) -> None:
                if self.pool._waiting:
                    if reusable is not None:
                        self.pool.give_back(lease, reusable)
                    raise KeyboardInterrupt

            looks = mock.patch.object(self.pool, "_close_what_is_left", interrupt)
            with self.subTest(given_back=reusable), mock.patch.object(leases, "LOOK_AGAIN", 0.001), looks:
                self.assertRaises(KeyboardInterrupt, self.take, "b")
                self.assertEqual((self.pool.counts(), self.pool._waiting), (counts, {}))
            if reusable is None:
                self.pool.give_back(lease, reusable=True)
                self.assertEqual(self.pool.counts(), (0, 1))
            self.pool.close_idle()


@override_settings(TENANT_CONNECTIONS=3, TENANT_CONNECTION_WAIT=0)
class ForkTests(PoolTestCase):
    def test_connections_of_the_parent_are_neither_counted_nor_closed(self):
        in_use, gone = self.take("a"), self.take("c")
        self.use("b")
        left.append(gone)
        raws = [weakref.ref(raw) for raw in self.made]
        self.made.clear()
        with mock.patch.object(leases.opened, "disown", return_value=[in_use]):
            self.pool.start_in_child()
        del in_use, gone
        gc.collect()
        self.assertEqual((self.pool.counts(), [*left]), ((0, 0), []))
        self.assertEqual([raw().closed for raw in raws], [False] * 3)
        self.made += [raw() for raw in raws]

    def test_a_forked_process_has_a_pool_of_its_own(self):
        self.assertEqual(production.run(FORK), 0)


class LeaseTests(PoolTestCase):
    def test_closing_waits_until_the_server_has_ended_its_session(self):
        done: list[str] = []

        def ends(descriptor: int, seconds: float) -> None:
            # The driver has closed its own descriptor by now.
            os.fstat(descriptor)
            done.append(f"closed: {raw.closed}, a copy: {descriptor != number}")
            self.copied = descriptor

        raw = self.connect()
        number = raw.fileno()
        with mock.patch.object(leases, "is_readable", ends):
            Lease("a", raw, Wrapper(None)).finish()
        self.assertEqual(done, ["closed: True, a copy: True"])
        self.assertRaises(OSError, os.fstat, self.copied)

    def test_an_answer_that_comes_before_the_end_is_not_the_end(self):
        raw = self.connect()
        raw.close = raw.ours.close
        raw.servers.sendall(b"an answer")
        ended = threading.Thread(target=lambda: (raw.servers.sendall(b"another"), raw.servers.close()))
        read = mock.patch.object(leases.os, "read", wraps=os.read)
        with read as reads:
            ended.start()
            Lease("a", raw, Wrapper(None)).finish()
        ended.join()
        self.assertEqual(raw.servers.fileno(), -1)
        self.assertGreater(reads.call_count, 1)

    def test_a_connection_that_fails_to_close_leaves_no_socket_behind(self):
        raw = self.connect()
        with (
            mock.patch.object(raw, "close", side_effect=OSError),
            mock.patch.object(leases.os, "dup", wraps=os.dup) as dup,
            mock.patch.object(leases.os, "close", wraps=os.close) as close,
        ):
            Lease("a", raw, Wrapper(None)).finish()
        dup.assert_called_once()
        close.assert_called_once()

    def test_a_connection_without_a_socket_is_closed(self):
        raw = mock.Mock(spec=["close"])
        Lease("a", raw, Wrapper(None)).finish()
        raw.close.assert_called_once_with()
