"""Connections to tenants that no setting declares: made on demand, handed from thread to thread, and limited."""

from __future__ import annotations

import threading
from unittest import mock

from django.conf import settings
from django.core.signals import request_finished
from django.db import close_old_connections, connections, transaction
from django.test import TestCase, override_settings
from django.utils.connection import ConnectionDoesNotExist

from databases.tenants import UnknownTenantError
from databases.tenants.models import Tenant
from databases.tenants.selection import for_each
from databases.tenants.tests.many_tenants import ManyTenantsTestCase, ask
from databases.tenants.tests.two_tenants import FIRST, FIRST_ALIAS, in_thread


def opened() -> list[str]:
    """Return the aliases of this thread's connections to undeclared tenants, least recently used first."""
    return [each.alias for each in connections.all() if each.alias not in connections.settings]


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


class RegisteredTenantTests(TestCase):
    def test_a_tenant_of_the_registry_needs_no_setting(self):
        self.addCleanup(connections.release)
        Tenant.objects.create(slug="dynamic-0", database="dynamic_0")
        declared = {alias: {**config} for alias, config in settings.DATABASES.items()}
        self.assertIn("dynamic_0", str(connections["tenant_dynamic-0"].settings_dict["NAME"]))
        self.assertEqual(settings.DATABASES, declared)
        self.assertEqual(list(connections), list(declared))

    def test_an_unknown_tenant_is_refused_by_name(self):
        with self.assertRaisesMessage(UnknownTenantError, "There is no tenant with the slug 'nobody'"):
            connections["tenant_nobody"]
        with self.assertRaises(ConnectionDoesNotExist):
            connections["nobody"]

    def test_an_alias_of_the_settings_comes_first(self):
        Tenant.objects.create(slug=FIRST, database="elsewhere")
        self.assertIs(connections[FIRST_ALIAS].settings_dict, connections.settings[FIRST_ALIAS])


class HandOverTests(ManyTenantsTestCase):
    def test_a_connection_is_made_once(self):
        first, second = self.register(2)
        self.assertIs(connections[first], connections[first])
        self.assertIsNot(connections[first], connections[second])
        self.assertEqual(opened(), [first, second])

    def test_a_connection_outlives_its_request_and_its_thread(self):
        first, second = self.register(2)
        used = request(first)
        self.assertIs(request(first), used)
        self.assertIsNot(request(second), used)
        self.assertIs(ask(first), used)

    def test_two_threads_never_share_a_connection(self):
        (alias,) = self.register(1)
        ours = ask(alias)
        self.assertIsNot(request(alias), ours)
        self.assertEqual(self.budget.counts(), (1, 1))
        self.assertIs(ask(alias), ours)

    def test_a_connection_in_a_transaction_stays_with_its_thread(self):
        (alias,) = self.register(1)
        with transaction.atomic(using=alias):
            ours = ask(alias)
            # Not end_request(): Django's receiver would close every connection of the test that is too old.
            connections.release()
            self.assertEqual(self.budget.counts(), (1, 0))
            self.assertIsNot(request(alias), ours)
            self.assertIs(ask(alias), ours)

    def test_a_changed_connection_is_not_used_again(self):
        def without_autocommit(alias: str) -> None:
            connections[alias].set_autocommit(False)

        def with_a_wrapper(alias: str) -> None:
            connections[alias].execute_wrappers.append(lambda execute, *args: execute(*args))

        def shared_with_threads(alias: str) -> None:
            connections[alias].inc_thread_sharing()

        (alias,) = self.register(1)
        for leave_behind in (without_autocommit, with_a_wrapper, shared_with_threads):
            with self.subTest(leave_behind.__name__):
                before = ask(alias)
                leave_behind(alias)
                connections.release()
                self.assertEqual(self.budget.counts(), (0, 0))
                self.assertIsNot(ask(alias), before)

    def test_a_connection_closed_by_the_server_is_replaced(self):
        (alias,) = self.register(1)
        used = request(alias)
        with mock.patch.object(type(connections[alias]), "is_usable", return_value=False):
            connections.release()
            self.assertIsNot(request(alias), used)

    def test_without_persistent_connections_no_connection_is_kept(self):
        (alias,) = self.register(1)
        self.server["CONN_MAX_AGE"] = 0
        used = request(alias)
        self.assertEqual(self.budget.counts(), (0, 0))
        self.assertIsNot(request(alias), used)

    def test_an_old_idle_connection_is_closed(self):
        old, young = self.register(2)
        ask(old)
        idle = connections[old]
        connections.release()
        idle.close_at = 1
        request(young)
        self.assertEqual((idle.connection, self.budget.counts()), (None, (0, 1)))

    def test_a_connection_of_an_ended_thread_is_closed(self):
        first, second = self.register(2)
        thread = threading.Thread(target=ask, args=[first])
        thread.start()
        thread.join()
        request(second)
        self.assertEqual(self.budget.counts(), (0, 1))

    def test_a_forked_process_neither_uses_nor_closes_inherited_connections(self):
        (alias,) = self.register(1)
        used = request(alias)
        self.budget.start_in_child()
        self.assertEqual(self.budget.counts(), (0, 0))
        self.assertIsNot(request(alias), used)
        (inherited,) = self.budget.inherited
        self.assertIs(inherited.connection, used)
        used.close()

    def test_close_old_connections_reaches_tenants(self):
        (alias,) = self.register(1)

        def sweep() -> None:
            with mock.patch.object(connections[alias], "close_if_unusable_or_obsolete") as closed:
                close_old_connections()
            closed.assert_called_once_with()

        in_thread(sweep)

    def test_deleting_an_alias_closes_its_idle_connections_too(self):
        (alias,) = self.register(1)
        ask(alias)
        request(alias)
        del connections[alias]
        self.assertEqual((opened(), self.budget.counts()), ([], (0, 0)))

    def test_a_maintenance_connection_is_never_handed_over(self):
        (alias,) = self.register(1)
        with connections.override(alias, connections[alias].settings_dict) as maintenance:
            used = ask(alias)
            connections.release()
            self.assertIs(connections[alias], maintenance)
            self.assertIsNot(request(alias), used)


@override_settings(TENANT_CONNECTIONS=3)
class BudgetTests(ManyTenantsTestCase):
    def test_the_least_recently_used_connections_are_closed_first(self):
        aliases = self.register(5)
        for alias in aliases[:3]:
            ask(alias)
        ask(aliases[0])
        for alias in aliases[3:]:
            ask(alias)
        self.assertEqual(opened(), [aliases[0], *aliases[3:]])
        self.assertEqual(self.budget.counts(), (3, 0))

    def test_idle_connections_are_closed_first(self):
        aliases = self.register(5)
        idle = [request(alias) for alias in aliases[:3]]
        ask(aliases[3])
        self.assertEqual(self.budget.counts(), (1, 2))
        self.assertIs(request(aliases[1]), idle[1])
        ask(aliases[4])
        self.assertEqual((opened(), self.budget.counts()), (aliases[3:], (2, 1)))

    def test_a_connection_in_a_transaction_is_never_closed(self):
        aliases = self.register(5)
        with transaction.atomic(using=aliases[0]):
            first = ask(aliases[0])
            for alias in aliases[1:]:
                ask(alias)
            self.assertEqual(opened(), [aliases[0], *aliases[3:]])
            self.assertIs(ask(aliases[0]), first)

    def test_transactions_may_exceed_the_limit(self):
        aliases = self.register(4)
        with (
            transaction.atomic(using=aliases[0]),
            transaction.atomic(using=aliases[1]),
            transaction.atomic(using=aliases[2]),
        ):
            ask(aliases[3])
            self.assertEqual(self.budget.counts(), (4, 0))
        connections.release()
        self.assertEqual(self.budget.counts(), (0, 3))

    def test_connections_of_other_threads_are_never_closed(self):
        aliases = self.register(6)
        ours = [ask(alias) for alias in aliases[:3]]
        self.assertIsNotNone(request(aliases[3]))
        self.assertIsNotNone(request(aliases[4]))
        self.assertEqual([ask(alias) for alias in aliases[:3]], ours)

    def test_a_run_over_many_tenants_keeps_within_the_limit(self):
        self.register(5)
        most = []
        work = mock.Mock(side_effect=lambda tenant: most.append((ask(tenant.alias), sum(self.budget.counts()))[1]))
        for_each(list(self.tenants.values()), work, lambda line: None)
        self.assertEqual((most, opened()), ([1, 2, 3, 3, 3], []))

    def test_closed_connections_do_not_count(self):
        for alias in self.register(3):
            ask(alias)
        connections.close_all()
        self.assertEqual(self.budget.counts(), (0, 0))


class AddressChangeTests(ManyTenantsTestCase):
    def setUp(self):
        super().setUp()
        (self.alias,) = self.register(1)

    def move(self, **changes: str) -> None:
        """Change the tenant's row, as another process does."""
        (slug,) = self.tenants
        unchanged = {"uid": self.tenants[slug].uid, "database": "number_0"}
        self.tenants[slug] = Tenant(slug=slug, **{**unchanged, **changes})

    def test_a_changed_address_takes_effect_in_every_thread(self):
        # A tenant that was created again under the slug of a deleted one has another uid.
        recreated = {"uid": "5e0c0f4b-8a4c-4d7a-9c3e-1f2d3c4b5a69"}
        for changes in ({"server": "twin"}, {"database": "elsewhere"}, recreated):
            with self.subTest(changes):
                self.move()
                ours, idle = ask(self.alias), request(self.alias)
                self.move(**changes)
                theirs = request(self.alias)
                self.assertNotIn(theirs, (ours, idle))
                self.assertIsNot(ask(self.alias), ours)
                self.assertEqual(connections[self.alias].tenant, self.tenants["number-0"])

    def test_other_changes_close_no_connection(self):
        ours = ask(self.alias)
        self.move(host="another", status=Tenant.Status.SUSPENDED)
        self.assertIs(ask(self.alias), ours)
        self.assertEqual(connections[self.alias].tenant.host, "another")

    def test_a_transaction_ends_on_the_database_where_it_began(self):
        with transaction.atomic(using=self.alias):
            ours = ask(self.alias)
            self.move(server="twin")
            self.assertIs(ask(self.alias), ours)
        self.assertIsNot(ask(self.alias), ours)
