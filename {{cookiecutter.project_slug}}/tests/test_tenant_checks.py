"""The system checks of tenants."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.core.checks import CheckMessage, run_checks
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test import SimpleTestCase, override_settings
from django.test.utils import isolate_apps

from databases.tenants import TenantModel, checks
from databases.tenants.models import TenantManager, TenantQuerySet

from . import production

SERVER = {"ENGINE": "django.db.backends.postgresql", "HOST": "eu.example.com", "NAME": "{name}", "PASSWORD": "hunter2"}


class OwnQuerySet(TenantQuerySet):
    pass


class OwnManager(TenantManager):
    pass


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [each.id for each in found]


class ManagerTests(SimpleTestCase):
    def check(self, **managers: models.Manager) -> list[CheckMessage]:
        """Return what the check says of a model with these managers."""
        meta = type("Meta", (), {"app_label": "projects"})
        with isolate_apps("projects") as isolated, mock.patch.object(checks, "apps", isolated):
            type("Sample", (TenantModel,), {"__module__": __name__, "Meta": meta, **managers})
            return checks.check_managers(None)

    def test_managers_of_tenant_querysets_are_well(self):
        for manager in (
            TenantManager(),
            OwnManager(),
            OwnQuerySet.as_manager(),
            OwnManager.from_queryset(OwnQuerySet)(),
        ):
            self.assertEqual(self.check(objects=manager), [])
        self.assertEqual(self.check(), [])

    def test_a_manager_whose_querysets_would_follow_any_tenant_is_an_error(self):
        for make in (models.Manager, models.QuerySet.as_manager):
            for managers in ({"objects": make()}, {"objects": TenantManager(), "others": make()}):
                (error,) = self.check(**managers)
                self.assertEqual(error.id, "databases.E005")
                self.assertIn(f"projects.Sample.{list(managers)[-1]}", error.msg)
                self.assertIn("TenantManager", str(error.hint))


class SettingTests(SimpleTestCase):
    def servers(self, **servers: dict[str, Any]) -> list[CheckMessage]:
        with override_settings(TENANT_SERVERS=servers):
            return checks.check_servers(None)

    def test_a_site_domain_at_which_no_host_could_be_found_is_an_error(self):
        for domain in ("example.com", "localhost", "a.example.com"):
            with self.settings(SITE_DOMAIN=domain):
                self.assertEqual(checks.check_site_domain(None), [])
        for domain in ("", ".example.com", "Example.com", "localhost:8000", "https://example.com", "example.com."):
            with self.subTest(domain), self.settings(SITE_DOMAIN=domain):
                self.assertEqual(ids(checks.check_site_domain(None)), ["databases.E006"])

    def test_settings_that_tenants_do_without_are_a_warning(self):
        for extra in ({"ATOMIC_REQUESTS": True}, {"OPTIONS": {"pool": True}}):
            (warning,) = self.servers(eu={**SERVER, **extra})
            self.assertEqual(warning.id, "databases.W001")
            self.assertNotIn("hunter2", f"{warning}")
        self.assertEqual(self.servers(eu={**SERVER, "OPTIONS": {"sslmode": "require"}, "ATOMIC_REQUESTS": False}), [])

    def test_a_server_whose_tenants_would_share_a_database_is_refused(self):
        url = "postgresql://ann@db.example.com/one"
        for environment in ({"TENANT_DATABASE_URL": url}, {"TENANT_SERVERS": f"second={url}"}):
            with self.subTest(environment), self.assertRaisesMessage(ImproperlyConfigured, "must hold {name}"):
                production.own_settings(**environment)

    def test_the_checks_are_registered(self):
        registered = registry.get_checks()
        for check in (checks.check_managers, checks.check_site_domain, checks.check_servers):
            self.assertIn(check, registered)
        self.assertEqual([each for each in run_checks() if str(each.id).startswith("databases.")], [])
