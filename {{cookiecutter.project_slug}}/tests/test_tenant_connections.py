"""Connections to tenants that no setting declares: made on demand, one per thread, and trimmed."""

from unittest import mock

from django.conf import settings
from django.core.signals import request_finished
from django.db import close_old_connections, connections
from django.test import SimpleTestCase, TestCase
from django.utils.connection import ConnectionDoesNotExist

from databases.models import Tenant
from databases.tenants import UnknownTenantError
from databases.tenants.fleet import for_each
from databases.tenants.handler import MAX_OPEN

from .two_tenants import APERTURE, APERTURE_ALIAS, in_thread


def opened() -> list[str]:
    """Return the aliases of this thread's connections to undeclared tenants, least recently used first."""
    return [each.alias for each in connections.all() if each.alias not in connections.settings]


class RegisteredTenantTests(TestCase):
    def test_a_tenant_of_the_registry_needs_no_setting(self):
        self.addCleanup(connections.trim, keep=0)
        Tenant.objects.create(slug="dynamic-0", database="dynamic_0")
        declared = {alias: {**config} for alias, config in settings.DATABASES.items()}
        self.assertIn("dynamic_0", str(connections["tenant_dynamic-0"].settings_dict["NAME"]))
        self.assertEqual(settings.DATABASES, declared)
        self.assertEqual(list(connections), list(declared))

    def test_an_unknown_tenant_is_refused_by_name(self):
        with self.assertRaisesMessage(UnknownTenantError, "There is no tenant 'nobody'"):
            connections["tenant_nobody"]
        with self.assertRaises(ConnectionDoesNotExist):
            connections["nobody"]

    def test_an_alias_of_the_settings_comes_first(self):
        Tenant.objects.create(slug=APERTURE, database="elsewhere")
        self.assertIs(connections[APERTURE_ALIAS].settings_dict, connections.settings[APERTURE_ALIAS])


class OpenConnectionTests(SimpleTestCase):
    """The connections here are objects only: none is used, so no server is asked."""

    def setUp(self):
        registry = mock.patch("databases.tenants.handler.find", lambda slug: Tenant(slug=slug, database=slug))
        registry.start()
        self.addCleanup(registry.stop)
        self.addCleanup(connections.trim, keep=0)

    def test_a_connection_is_made_once(self):
        self.assertIs(connections["tenant_dynamic-0"], connections["tenant_dynamic-0"])
        self.assertIsNot(connections["tenant_dynamic-0"], connections["tenant_dynamic-1"])
        self.assertEqual(opened(), ["tenant_dynamic-0", "tenant_dynamic-1"])

    def test_a_thread_has_connections_of_its_own(self):
        ours = connections["tenant_dynamic-0"]
        self.assertEqual(in_thread(opened), [])
        self.assertIsNot(in_thread(lambda: connections["tenant_dynamic-0"]), ours)
        self.assertEqual(opened(), ["tenant_dynamic-0"])

    def test_the_end_of_a_request_closes_all_but_those_used_last(self):
        def serve_a_request() -> list[str]:
            made = [connections[f"tenant_dynamic-{number}"] for number in range(MAX_OPEN + 2)]
            connections["tenant_dynamic-0"]
            with mock.patch.object(made[0], "close") as kept, mock.patch.object(made[1], "close") as closed:
                request_finished.send(sender=type(self))
            closed.assert_called_once_with()
            kept.assert_not_called()
            return opened()

        # In a thread, where Django finds no connection of the test run to close.
        kept = [f"tenant_dynamic-{number}" for number in (*range(3, MAX_OPEN + 2), 0)]
        self.assertEqual(in_thread(serve_a_request), kept)

    def test_no_connection_is_closed_while_it_may_be_in_use(self):
        for number in range(MAX_OPEN + 2):
            connections[f"tenant_dynamic-{number}"]
        self.assertEqual(len(opened()), MAX_OPEN + 2)

    def test_a_run_over_many_tenants_closes_their_connections_on_the_way(self):
        tenants = [Tenant(slug=f"dynamic-{number}") for number in range(MAX_OPEN + 2)]
        for_each(tenants, lambda tenant: connections[tenant.alias], lambda line: None)
        self.assertEqual(opened(), [tenant.alias for tenant in tenants[-MAX_OPEN:]])

    def test_django_closes_them_when_they_are_old(self):
        def sweep() -> None:
            with mock.patch.object(connections["tenant_dynamic-0"], "close_if_unusable_or_obsolete") as closed:
                close_old_connections()
            closed.assert_called_once_with()

        in_thread(sweep)

    def test_one_can_be_forgotten(self):
        connections["tenant_dynamic-0"]
        del connections["tenant_dynamic-0"]
        self.assertEqual(opened(), [])
