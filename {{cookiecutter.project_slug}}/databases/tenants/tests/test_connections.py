"""Connections to tenants that no setting lists: made on demand, given back after a request, and never too many."""

from __future__ import annotations

import gc
import threading
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.core.signals import request_finished
from django.db import DatabaseError, close_old_connections, connection, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import TestCase, override_settings
from django.urls import path
from django.utils.connection import ConnectionDoesNotExist

from databases.tenants import use_tenant
from databases.tenants.commands import for_each
from databases.tenants.context import TenantUnavailableError
from databases.tenants.leases import TooManyConnectionsError, left, opened, take_back_forgotten
from databases.tenants.maintenance import maintenance_connection
from databases.tenants.models import Tenant
from databases.tenants.registry_cache import cache
from databases.tenants.tests.many_tenants import ManyTenantsTestCase, ask
from databases.tenants.tests.two_tenants import FIRST, FIRST_ALIAS, in_thread, responses

IS_POSTGRESQL = connection.vendor == "postgresql"
if IS_POSTGRESQL:
    from psycopg import IsolationLevel


def end_request() -> None:
    """Send the signal that a server sends after a request."""
    request_finished.send(sender=None)


def request(alias: str) -> object:
    """Serve a request with one query in a new thread, and return the driver's connection that it used."""

    def serve() -> object:
        used = ask(alias)
        end_request()
        return used

    return in_thread(serve)


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(ask("tenant_number-0")))


urlpatterns = [path("", page)]


class EntriesTests(TestCase):
    def test_a_tenant_of_the_registry_needs_no_setting(self):
        Tenant.objects.create(slug="dynamic-0", database="dynamic_0")
        listed = {alias: {**config} for alias, config in settings.DATABASES.items()}
        self.addCleanup(connections.__delitem__, "tenant_dynamic-0")
        self.assertIn("dynamic_0", str(connections["tenant_dynamic-0"].settings_dict["NAME"]))
        self.assertEqual(dict(settings.DATABASES.items()), listed)
        self.assertEqual(list(connections), list(listed))

    def test_an_alias_that_nobody_knows_does_not_exist(self):
        for alias in ("tenant_nobody", "tenant_Not a slug", "nobody"):
            with self.subTest(alias):
                self.assertNotIn(alias, settings.DATABASES)
                self.assertRaises(KeyError, settings.DATABASES.__getitem__, alias)
                with self.assertRaises(ConnectionDoesNotExist):
                    connections[alias]

    def test_the_current_tenant_is_not_looked_up_again(self):
        for slug in ("dynamic-0", "dynamic-1"):
            Tenant.objects.create(slug=slug, database=slug)
        with use_tenant("dynamic-0") as tenant:
            self.assertEqual(settings.DATABASES["tenant_dynamic-1"]["TENANT"].slug, "dynamic-1")
            with mock.patch.object(cache, "by_slug", side_effect=AssertionError("looked up")):
                self.assertIs(settings.DATABASES[tenant.alias], tenant.entry)

    def test_an_alias_of_the_settings_comes_first(self):
        Tenant.objects.create(slug=FIRST, database="elsewhere")
        self.assertIs(connections[FIRST_ALIAS].settings_dict, connections.settings[FIRST_ALIAS])
        with use_tenant(FIRST) as tenant:
            self.assertEqual(tenant.alias, FIRST_ALIAS)
            self.assertNotEqual(tenant.database, "elsewhere")


class ConnectionTests(ManyTenantsTestCase):
    def test_a_connection_is_made_once_in_a_request(self):
        first, second = self.register(2)
        self.assertIs(ask(first), ask(first))
        self.assertIsNot(ask(first), ask(second))
        self.assertEqual(opened.aliases(), [second])
        self.assertIn(connections[second], connections.all(initialized_only=True))

    def test_a_thread_keeps_one_connection_besides_those_in_use(self):
        # In threads of executors no request ends, which would give them back.
        first, second, third = self.register(3)
        ask(first)
        with transaction.atomic(using=second):
            ask(second)
            ask(third)
            self.assertEqual(opened.aliases(), [second, third])

    def test_a_new_connection_is_not_forgotten(self):
        (alias,) = self.register(1)
        connections[alias].ensure_connection()
        take_back_forgotten()
        self.assertEqual(opened.aliases(), [alias])

    @override_settings(TENANT_CONNECTIONS=1, TENANT_CONNECTION_WAIT=5)
    def test_a_connection_that_its_thread_has_forgotten_is_taken_back(self):
        first, second = self.register(2)
        ended = threading.Event()
        asked = threading.Event()

        def forget() -> None:
            try:
                ask(first)
            finally:
                asked.set()
            ended.wait(60)
            # It connects again, once the place is free.
            outcome.append(ask(first))
            end_request()

        outcome: list[object] = []
        thread = threading.Thread(target=forget)
        thread.start()
        asked.wait(30)
        with mock.patch("databases.tenants.leases.FORGOTTEN", 0):
            request(second)
        ended.set()
        thread.join()
        self.assertEqual(len(outcome), 1)

    def test_a_request_gives_its_connections_back(self):
        aliases = self.register(2)
        for alias in aliases:
            ask(alias)
        kept = connections[aliases[1]]
        close_old_connections()
        self.assertEqual((opened.aliases(), self.pool.counts()[0]), ([], 0))
        self.assertIsNot(connections[aliases[1]], kept)
        # Code that kept the object may use it again, and the next request ends that use too.
        with kept.cursor() as cursor:
            cursor.execute("SELECT 1")
        self.assertIs(connections[aliases[1]], kept)
        close_old_connections()
        self.assertEqual(self.pool.counts()[0], 0)

    def test_an_object_that_code_has_kept_takes_no_place_for_ever(self):
        (alias,) = self.register(1)
        ask(alias)
        kept = connections[alias]
        opened.give_back()
        ask(alias)
        kept.connect()
        self.assertEqual((opened.aliases(), self.pool.counts()[0]), ([alias], 1))
        opened.give_back()
        self.assertEqual((opened.aliases(), self.pool.counts()[0]), ([], 0))

    def test_two_connections_of_a_thread_to_one_tenant_are_both_given_back(self):
        (alias,) = self.register(1)
        ask(alias)
        kept = connections[alias]
        opened.give_back()
        in_use = connections[alias].chunked_cursor()
        kept.connect()
        self.assertEqual(self.pool.counts()[0], 2)
        in_use.close()
        del in_use
        opened.give_back()
        self.assertEqual(self.pool.counts()[0], 0)

    def test_two_threads_never_share_a_connection(self):
        (alias,) = self.register(1)
        ours = ask(alias)
        self.assertIsNot(request(alias), ours)
        self.assertEqual(self.pool.counts()[0], 1)
        self.assertIs(ask(alias), ours)

    def test_a_connection_in_a_transaction_stays_with_its_thread(self):
        (alias,) = self.register(1)
        with transaction.atomic(using=alias):
            ours = ask(alias)
            opened.give_back()
            close_old_connections()
            self.assertIs(ask(alias), ours)
            self.assertIsNot(request(alias), ours)

    def test_a_connection_without_autocommit_stays_with_its_thread_until_the_request_ends(self):
        first, second = self.register(2)
        for visit in (lambda: ask(second), take_back_forgotten):
            ours = ask(first)
            connections[first].set_autocommit(False)
            with mock.patch("databases.tenants.leases.FORGOTTEN", 0):
                visit()
            self.assertIs(connections[first].connection, ours)
            self.assertEqual([*left], [])
            for alias in opened.aliases():
                connections[alias].close_if_unusable_or_obsolete()
            self.assertEqual((opened.aliases(), self.pool.counts()[0]), ([], 0))
            self.assertNotIn(ours, [lease.raw for lease in self.pool._idle])

    def test_a_connection_that_is_read_row_by_row_stays_with_its_thread(self):
        (alias,) = self.register(1)
        ours = ask(alias)
        cursor = connections[alias].chunked_cursor()
        cursor.execute("SELECT 1")
        opened.give_back()
        self.assertIs(connections[alias].connection, ours)
        self.assertEqual([*cursor.fetchall()], [(1,)])
        cursor.close()
        del cursor
        gc.collect()
        opened.give_back()
        self.assertEqual(opened.aliases(), [])

    def test_a_connection_that_a_receiver_refuses_is_not_used_again(self):
        (alias,) = self.register(1)
        with mock.patch("django.db.backends.base.base.connection_created.send", side_effect=LookupError):
            self.assertRaises(LookupError, ask, alias)
        self.assertEqual((connections[alias].connection, self.pool.counts()), (None, (0, 0)))

    def test_a_connection_of_an_ended_thread_is_closed(self):
        first, second = self.register(2)
        thread = threading.Thread(target=ask, args=[first])
        thread.start()
        thread.join()
        gc.collect()
        ask(second)
        self.assertEqual(self.pool.counts(), (1, 0))

    def test_a_forked_process_neither_uses_nor_closes_inherited_connections(self):
        (alias,) = self.register(1)
        used = ask(alias)
        self.pool.start_in_child()
        self.assertEqual(self.pool.counts(), (0, 0))
        self.assertIsNot(ask(alias), used)
        used.cursor().execute("SELECT 1")
        used.close()

    def test_a_forked_process_takes_back_nothing_from_threads_of_its_parent(self):
        (alias,) = self.register(1)
        ours, (asked, ended) = ask(alias), (threading.Event(), threading.Event())
        thread = threading.Thread(target=lambda: (ask(alias), asked.set(), ended.wait(60), end_request()))
        thread.start()
        asked.wait(30)
        self.pool.start_in_child()
        with mock.patch("databases.tenants.leases.FORGOTTEN", 0):
            take_back_forgotten()
        self.assertEqual([*left], [])
        ended.set()
        thread.join()
        ours.close()

    if connection.vendor == "sqlite":

        def test_no_page_makes_a_missing_database(self):
            (alias,) = self.register(1)
            Path(self.server["NAME"]).unlink()
            self.assertRaises(DatabaseError, ask, alias)
            self.assertFalse(Path(self.server["NAME"]).exists())

    def test_a_maintenance_connection_is_none_of_the_pools(self):
        (alias,) = self.register(1)
        with maintenance_connection(alias, self.tenants["number-0"].address) as maintenance:
            self.assertIs(connections[alias], maintenance)
            ask(alias)
            self.assertEqual(self.pool.counts(), (0, 0))
        self.assertIsNone(maintenance.connection)
        ours = ask(alias)
        self.assertEqual(self.pool.counts(), (1, 0))
        with maintenance_connection(alias, self.tenants["number-0"].address):
            pass
        self.assertIs(ask(alias), ours)
        with maintenance_connection(alias, self.tenants["number-0"].address) as maintenance:
            opened.give_back()
            self.assertIs(connections[alias], maintenance)
        self.assertEqual(self.pool.counts()[0], 0)

    def test_a_closed_tenant_is_not_connected_to(self):
        (alias,) = self.register(1)
        state = mock.Mock(is_closed=True, is_read_only=False, way_out="restore it")
        with mock.patch.dict("databases.tenants.registry.STATES", {"active": state}):
            self.assertRaisesMessage(TenantUnavailableError, "restore it", ask, alias)

    def test_an_engine_without_a_pool_closes_at_the_end_of_a_request(self):
        (alias,) = self.register(1)
        request(alias)
        self.assertEqual(self.pool.counts(), (0, int(IS_POSTGRESQL)))


@override_settings(TENANT_CONNECTIONS=3, TENANT_CONNECTION_WAIT=0.2)
class BoundTests(ManyTenantsTestCase):
    def test_a_thread_that_goes_from_tenant_to_tenant_keeps_within_the_bound(self):
        for alias in self.register(7):
            ask(alias)
            self.assertLessEqual(sum(self.pool.counts()), 3)

    def test_a_command_over_many_tenants_keeps_nothing(self):
        self.register(5)
        failed = for_each(list(self.tenants.values()), lambda tenant: ask(tenant.alias), lambda line: None)
        self.assertEqual((failed, opened.aliases(), self.pool.counts()[0]), ([], [], 0))

    def test_leaving_a_tenant_gives_its_connection_back(self):
        (alias,) = self.register(1)
        with use_tenant("number-0"):
            ask(alias)
            with use_tenant("number-0"):
                pass
            self.assertEqual(opened.aliases(), [alias])
        self.assertEqual(opened.aliases(), [])

    def test_whoever_needs_one_more_waits_and_is_refused(self):
        aliases = self.register(4)
        with ExitStack() as transactions:
            for alias in aliases[:3]:
                transactions.enter_context(transaction.atomic(using=alias))
                ask(alias)
            with self.assertRaisesMessage(TooManyConnectionsError, "All 3 connections to tenants"):
                in_thread(lambda: ask(aliases[3]))
            self.assertRaises(TooManyConnectionsError, ask, aliases[3])
            self.assertEqual(self.pool.counts(), (3, 0))
        opened.give_back()
        ask(aliases[3])

    @override_settings(TENANT_CONNECTION_WAIT=30)
    def test_a_waiting_thread_gets_what_another_one_gives_back(self):
        aliases = self.register(4)
        asked, outcome = threading.Event(), []

        def wait() -> None:
            asked.set()
            outcome.append(request(aliases[3]))

        with transaction.atomic(using=aliases[0]), transaction.atomic(using=aliases[1]):
            for alias in aliases[:3]:
                ask(alias)
            waiting = threading.Thread(target=wait)
            waiting.start()
            asked.wait()
            while not self.pool._waiting:
                threading.Event().wait(0.01)
            opened.give_back()
            waiting.join()
        self.assertEqual(len(outcome), 1)

    def test_a_failed_connection_leaves_its_place(self):
        (alias,) = self.register(1)
        for _ in range(5):
            with mock.patch.object(type(connections[alias]), "open", side_effect=DatabaseError("refused")):
                self.assertRaisesMessage(DatabaseError, "refused", ask, alias)
        self.assertEqual(self.pool.counts(), (0, 0))

    @override_settings(
        ALLOWED_HOSTS=[".testserver"],
        MIDDLEWARE=["databases.tenants.middleware.TenantMiddleware"],
        ROOT_URLCONF=__name__,
        TENANT_CONNECTIONS=0,
    )
    def test_a_page_that_waits_in_vain_answers_503(self):
        self.register(1)
        with mock.patch("databases.tenants.registry_cache.cache.by_host", lambda host: self.find("number-0")):
            for stack, response in responses("/", "number-0.testserver"):
                with self.subTest(stack):
                    self.assertEqual((response.status_code, "Retry-After" in response.headers), (503, True))


class ChangedRowTests(ManyTenantsTestCase):
    def move(self, **changes: object) -> None:
        """Change the tenant's row, as another process does."""
        (slug,) = self.tenants
        row = {"slug": slug, "uid": self.tenants[slug].uid, "database": "number_0", "status": "active", **changes}
        self.tenants[slug] = Tenant(**row).info

    def test_a_changed_address_takes_effect_with_the_next_request(self):
        # A tenant that was created again under the slug of a deleted one has another uid.
        recreated = {"uid": "5e0c0f4b-8a4c-4d7a-9c3e-1f2d3c4b5a69"}
        (alias,) = self.register(1)
        for changes in ({"server": "twin"}, {"database": "elsewhere"}, recreated):
            with self.subTest(changes):
                self.move()
                before = request(alias)
                self.move(**changes)
                self.assertIsNot(request(alias), before)
                ask(alias)
                self.assertEqual(connections[alias].tenant, self.tenants["number-0"])
                opened.give_back()

    def test_an_object_that_code_has_kept_connects_to_the_current_address(self):
        (alias,) = self.register(1)
        ask(alias)
        kept = connections[alias]
        opened.give_back()
        self.move(server="twin")
        kept.connect()
        self.assertEqual(kept.tenant.server, "twin")

    def test_a_transaction_ends_on_the_database_where_it_began(self):
        (alias,) = self.register(1)
        with transaction.atomic(using=alias):
            ours = ask(alias)
            self.move(server="twin")
            self.assertIs(ask(alias), ours)
        opened.give_back()
        self.assertIsNot(ask(alias), ours)


if IS_POSTGRESQL:

    class IdleConnectionTests(ManyTenantsTestCase):
        """Only PostgreSQL's connections wait for the next request."""

        def test_a_connection_outlives_its_request_and_its_thread(self):
            first, second = self.register(2)
            used = request(first)
            self.assertIs(request(first), used)
            self.assertIsNot(request(second), used)
            self.assertIs(ask(first), used)

        def test_other_changes_of_a_row_close_no_connection(self):
            (alias,) = self.register(1)
            used = request(alias)
            self.tenants["number-0"] = Tenant(
                slug="number-0",
                host="another",
                uid=self.tenants["number-0"].uid,
                database="number_0",
                status="suspended",
            ).info
            self.assertIs(ask(alias), used)

        def test_a_changed_connection_is_not_used_again(self):
            def without_autocommit(alias: str) -> None:
                connections[alias].set_autocommit(False)

            def with_an_error(alias: str) -> None:
                with self.assertRaises(DatabaseError), connections[alias].cursor() as cursor:
                    cursor.execute("SELECT nothing FROM nowhere")

            def in_a_transaction_of_its_own(alias: str) -> None:
                with connections[alias].cursor() as cursor:
                    cursor.execute("BEGIN")

            def while_it_is_read(alias: str) -> None:
                self.cursor = connections[alias].chunked_cursor()
                connections[alias].close()

            (alias,) = self.register(1)
            for leave_behind in (without_autocommit, with_an_error, in_a_transaction_of_its_own, while_it_is_read):
                with self.subTest(leave_behind.__name__):
                    before = ask(alias)
                    leave_behind(alias)
                    # As at the end of a request.
                    connections[alias].close_if_unusable_or_obsolete()
                    self.assertEqual(self.pool.counts(), (0, 0))
                    self.assertIsNot(ask(alias), before)

        def test_a_session_that_the_server_has_ended_is_replaced_without_an_error(self):
            (alias,) = self.register(1)
            used = request(alias)
            with connection.cursor() as cursor:
                # Returns when the session has ended. Milliseconds.
                cursor.execute("SELECT pg_terminate_backend(%s, 60000)", [used.info.backend_pid])
            self.assertIsNot(request(alias), used)

        def test_a_connection_of_a_web_process_has_the_limits_and_the_options_of_its_server(self):
            (alias,) = self.register(1)
            self.server["CONNECTION_CLASS"] = "databases.postgresql_pool.LimitedConnection"
            self.server["OPTIONS"] = {**self.server["OPTIONS"], "isolation_level": IsolationLevel.SERIALIZABLE}
            with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
                cursor.execute("SELECT current_setting('statement_timeout'), current_setting('transaction_isolation')")
                self.assertEqual(cursor.fetchone(), (f"{settings.DATABASE_STATEMENT_SECONDS}s", "serializable"))

        def test_a_cursor_that_somebody_has_keeps_its_connection(self):
            first, second = self.register(2)
            ours = ask(first)
            cursor = connections[first].cursor()
            ask(second)
            self.assertIs(connections[first].connection, ours)
            cursor.execute("SELECT 1")
            cursor.close()

        def test_what_a_request_changes_in_its_session_is_undone(self):
            changes = {
                "SET application_name = 'changed'": "SELECT current_setting('application_name') = 'changed'",
                "CREATE TEMP TABLE made (id int)": "SELECT to_regclass('pg_temp.made') IS NOT NULL",
                "SELECT pg_advisory_lock(3)": "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory'"
                " AND pid = pg_backend_pid()",
                "LISTEN changes": "SELECT count(*) > 0 FROM pg_listening_channels()",
                "SET lock_timeout = 7": "SELECT current_setting('lock_timeout') = '7ms'",
                "DECLARE kept CURSOR WITH HOLD FOR SELECT 1": "SELECT count(*) > 0 FROM pg_cursors",
            }
            (alias,) = self.register(1)
            for change, shows in changes.items():
                with self.subTest(change):
                    used = ask(alias)
                    with connections[alias].cursor() as cursor:
                        cursor.execute(change)
                        cursor.execute(shows)
                        self.assertEqual(cursor.fetchone(), (True,))
                    opened.give_back()
                    with connections[alias].cursor() as cursor:
                        cursor.execute(shows)
                        self.assertEqual(cursor.fetchone(), (False,))
                    self.assertIs(connections[alias].connection, used)
                    opened.give_back()

        def test_the_limits_of_a_web_process_stay(self):
            self.server["CONNECTION_CLASS"] = "databases.postgresql_pool.LimitedConnection"
            (alias,) = self.register(1)
            for _ in range(2):
                with connections[alias].cursor() as cursor:
                    cursor.execute("SHOW statement_timeout")
                    self.assertEqual(cursor.fetchone(), ("10s",))
                opened.give_back()

        def test_a_session_that_cannot_be_reset_is_replaced(self):
            (alias,) = self.register(1)
            with mock.patch("databases.tenants.backends.postgresql.base.RESET", b"SELECT 1 / 0"):
                used = request(alias)
            self.assertIsNot(request(alias), used)

        def test_a_connection_to_the_server_is_none_of_the_pools(self):
            (alias,) = self.register(1)
            with connections[alias]._nodb_cursor() as cursor:
                cursor.execute("SELECT current_database()")
                self.assertEqual((cursor.fetchone(), self.pool.counts()), (("postgres",), (0, 0)))

        def test_without_persistent_connections_no_connection_is_kept(self):
            (alias,) = self.register(1)
            self.server["CONN_MAX_AGE"] = 0
            used = request(alias)
            self.assertEqual(self.pool.counts(), (0, 0))
            self.assertIsNot(request(alias), used)

        def test_an_idle_connection_is_closed_at_its_age_without_another_request(self):
            (alias,) = self.register(1)
            with mock.patch("databases.tenants.pool.threading.Timer") as timer:
                request(alias)
            (seconds, close_old), _ = timer.call_args
            self.assertEqual(seconds, 60)
            close_old()
            self.assertEqual(self.pool.counts(), (0, 1))
            for lease in self.pool._idle:
                lease.idle_since -= 60
            close_old()
            self.assertEqual(self.pool.counts(), (0, 0))

        @override_settings(TENANT_CONNECTIONS=3)
        def test_of_the_idle_ones_the_least_used_makes_room(self):
            aliases = self.register(4)
            for alias in (aliases[0], aliases[0], aliases[2], aliases[2], aliases[1]):
                request(alias)
            used = [request(alias) for alias in aliases[:3:2]]
            request(aliases[3])
            self.assertEqual([request(alias) for alias in aliases[:3:2]], used)
            self.assertEqual(self.pool.counts(), (0, 3))

        @override_settings(TENANT_CONNECTIONS=2)
        def test_a_closed_session_is_gone_from_the_server_before_the_next_one_begins(self):
            (alias,) = self.register(1)
            used = ask(alias)
            pid = used.info.backend_pid
            connections[alias].errors_occurred = True
            opened.give_back()
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid])
                self.assertEqual(cursor.fetchone(), (0,))
