"""Connections to tenants that no setting declares: made on demand, handed from thread to thread, and bounded."""

from __future__ import annotations

import threading
from unittest import mock

from django.conf import settings
from django.core.signals import request_finished
from django.db import close_old_connections, connections, transaction
from django.test import TestCase, override_settings
from django.utils.connection import ConnectionDoesNotExist

from databases.models import Tenant
from databases.tenants import UnknownTenantError
from databases.tenants.fleet import for_each

from .many_tenants import ManyTenantsTestCase, ask
from .two_tenants import APERTURE, APERTURE_ALIAS, in_thread


def opened() -> list[str]:
    """Return the aliases of this thread's connections to undeclared tenants, least recently used first."""
    return [each.alias for each in connections.all() if each.alias not in connections.settings]


def end_request() -> None:
    """Tell everybody that a request has ended, as a server does."""
    request_finished.send(sender=None)


def request(alias: str) -> object:
    """Serve a request with a query, in a thread of its own, and return the driver's connection that it went through."""

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
        Tenant.objects.create(slug=APERTURE, database="elsewhere")
        self.assertIs(connections[APERTURE_ALIAS].settings_dict, connections.settings[APERTURE_ALIAS])


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

    def test_a_connection_is_one_threads_at_a_time(self):
        (alias,) = self.register(1)
        ours = ask(alias)
        self.assertIsNot(request(alias), ours)
        self.assertEqual(self.budget.counts(), (1, 1))
        self.assertIs(ask(alias), ours)

    def test_one_in_a_transaction_stays_with_its_thread(self):
        (alias,) = self.register(1)
        with transaction.atomic(using=alias):
            ours = ask(alias)
            # Django's own receiver would close every connection of the test that is too old.
            connections.release()
            self.assertEqual(self.budget.counts(), (1, 0))
            self.assertIsNot(request(alias), ours)
            self.assertIs(ask(alias), ours)

    def test_what_a_request_left_behind_reaches_no_other(self):
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

    def test_one_that_the_server_has_closed_is_replaced(self):
        (alias,) = self.register(1)
        used = request(alias)
        with mock.patch.object(type(connections[alias]), "is_usable", return_value=False):
            connections.release()
            self.assertIsNot(request(alias), used)

    def test_without_persistent_connections_none_is_kept(self):
        (alias,) = self.register(1)
        self.server["CONN_MAX_AGE"] = 0
        used = request(alias)
        self.assertEqual(self.budget.counts(), (0, 0))
        self.assertIsNot(request(alias), used)

    def test_an_old_one_is_closed_although_nobody_asks_for_it(self):
        old, young = self.register(2)
        ask(old)
        waits = connections[old]
        connections.release()
        waits.close_at = 1
        request(young)
        self.assertEqual((waits.connection, self.budget.counts()), (None, (0, 1)))

    def test_one_whose_thread_ended_without_a_request_is_closed(self):
        first, second = self.register(2)
        thread = threading.Thread(target=ask, args=[first])
        thread.start()
        thread.join()
        request(second)
        self.assertEqual(self.budget.counts(), (0, 1))

    def test_a_forked_process_uses_and_closes_nothing_of_its_parent(self):
        (alias,) = self.register(1)
        used = request(alias)
        self.budget.start_in_child()
        self.assertEqual(self.budget.counts(), (0, 0))
        self.assertIsNot(request(alias), used)
        (inherited,) = self.budget.inherited
        self.assertIs(inherited.connection, used)
        used.close()

    def test_django_closes_them_when_they_are_old(self):
        (alias,) = self.register(1)

        def sweep() -> None:
            with mock.patch.object(connections[alias], "close_if_unusable_or_obsolete") as closed:
                close_old_connections()
            closed.assert_called_once_with()

        in_thread(sweep)

    def test_one_can_be_forgotten_with_those_that_wait(self):
        (alias,) = self.register(1)
        ask(alias)
        request(alias)
        del connections[alias]
        self.assertEqual((opened(), self.budget.counts()), ([], (0, 0)))

    def test_one_for_upkeep_is_never_handed_over(self):
        (alias,) = self.register(1)
        with connections.instead(alias, connections[alias].settings_dict) as upkeep:
            used = ask(alias)
            connections.release()
            self.assertIs(connections[alias], upkeep)
            self.assertIsNot(request(alias), used)


@override_settings(TENANT_CONNECTIONS=3)
class BudgetTests(ManyTenantsTestCase):
    def test_the_least_recently_used_are_closed_first(self):
        aliases = self.register(5)
        for alias in aliases[:3]:
            ask(alias)
        ask(aliases[0])
        for alias in aliases[3:]:
            ask(alias)
        self.assertEqual(opened(), [aliases[0], *aliases[3:]])
        self.assertEqual(self.budget.counts(), (3, 0))

    def test_idle_ones_are_closed_before_those_in_use(self):
        aliases = self.register(5)
        waiting = [request(alias) for alias in aliases[:3]]
        ask(aliases[3])
        self.assertEqual(self.budget.counts(), (1, 2))
        self.assertIs(request(aliases[1]), waiting[1])
        ask(aliases[4])
        self.assertEqual((opened(), self.budget.counts()), (aliases[3:], (2, 1)))

    def test_one_in_a_transaction_is_never_closed(self):
        aliases = self.register(5)
        with transaction.atomic(using=aliases[0]):
            first = ask(aliases[0])
            for alias in aliases[1:]:
                ask(alias)
            self.assertEqual(opened(), [aliases[0], *aliases[3:]])
            self.assertIs(ask(aliases[0]), first)

    def test_transactions_may_exceed_it(self):
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

    def test_another_threads_are_never_closed(self):
        aliases = self.register(6)
        ours = [ask(alias) for alias in aliases[:3]]
        self.assertIsNotNone(request(aliases[3]))
        self.assertIsNotNone(request(aliases[4]))
        self.assertEqual([ask(alias) for alias in aliases[:3]], ours)

    def test_a_run_over_many_tenants_leaves_no_more_open(self):
        self.register(5)
        most = []
        work = mock.Mock(side_effect=lambda tenant: most.append((ask(tenant.alias), sum(self.budget.counts()))[1]))
        for_each(list(self.tenants.values()), work, lambda line: None)
        self.assertEqual((most, opened()), ([1, 2, 3, 3, 3], []))

    def test_what_is_closed_in_the_thread_does_not_count(self):
        for alias in self.register(3):
            ask(alias)
        connections.close_all()
        self.assertEqual(self.budget.counts(), (0, 0))


class PlaceTests(ManyTenantsTestCase):
    def setUp(self):
        super().setUp()
        (self.alias,) = self.register(1)

    def move(self, **changes: str) -> None:
        """Change the tenant's row, as another process does."""
        (slug,) = self.tenants
        unchanged = {"uid": self.tenants[slug].uid, "database": "number_0"}
        self.tenants[slug] = Tenant(slug=slug, **{**unchanged, **changes})

    def test_a_change_of_place_takes_effect_in_every_thread(self):
        # An alias is not used again: a tenant made anew under the slug of another has another uid.
        anew = {"uid": "5e0c0f4b-8a4c-4d7a-9c3e-1f2d3c4b5a69"}
        for changes in ({"server": "twin"}, {"database": "elsewhere"}, {"password": "env:PATH", "user": ""}, anew):
            with self.subTest(changes):
                self.move()
                ours, waiting = ask(self.alias), request(self.alias)
                self.move(**changes)
                theirs = request(self.alias)
                self.assertNotIn(theirs, (ours, waiting))
                self.assertIsNot(ask(self.alias), ours)
                self.assertEqual(connections[self.alias].tenant, self.tenants["number-0"])

    def test_other_changes_close_nothing(self):
        ours = ask(self.alias)
        self.move(host="another", status=Tenant.Status.SUSPENDED)
        self.assertIs(ask(self.alias), ours)
        self.assertEqual(connections[self.alias].tenant.host, "another")

    def test_a_transaction_ends_where_it_began(self):
        with transaction.atomic(using=self.alias):
            ours = ask(self.alias)
            self.move(server="twin")
            self.assertIs(ask(self.alias), ours)
        self.assertIsNot(ask(self.alias), ours)
