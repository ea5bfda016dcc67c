"""The system checks of tenants."""

from __future__ import annotations

from unittest import mock

from django.contrib import admin
from django.contrib.admin import sites
from django.core.checks import CheckMessage, run_checks
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test import SimpleTestCase
from django.test.utils import isolate_apps

from databases.tenants import TenantModel, checks
from databases.tenants.admin import TenantModelAdmin
from databases.tenants.models import TenantManager, TenantQuerySet
from projects.models import DataPoint

from . import production


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


class AdminTests(SimpleTestCase):
    def check(self, model_admin: type[admin.ModelAdmin]) -> list[CheckMessage]:
        """Return what the check says where a tenant model has this admin."""
        # Sites remember one another: this one is known to none but the check.
        with mock.patch.object(sites, "all_sites", set()):
            admin.AdminSite().register(DataPoint, model_admin)
            return checks.check_admins(None)

    def test_an_admin_that_notes_the_tenant_is_well(self):
        self.assertEqual(self.check(TenantModelAdmin), [])

    def test_an_admin_whose_history_would_be_every_tenants_is_an_error(self):
        (error,) = self.check(admin.ModelAdmin)
        self.assertEqual((error.id, error.obj), ("databases.E009", DataPoint))
        self.assertIn("TenantModelAdmin", str(error.hint))

    def test_a_project_without_the_admin_is_not_asked_for_one(self):
        with mock.patch.object(checks.apps, "is_installed", return_value=False):
            self.assertEqual(self.check(admin.ModelAdmin), [])


class SettingTests(SimpleTestCase):
    def test_a_site_domain_at_which_no_host_could_be_found_is_an_error(self):
        for domain in ("example.com", "localhost", "a.example.com"):
            with self.settings(SITE_DOMAIN=domain):
                self.assertEqual(checks.check_site_domain(None), [])
        for domain in ("", ".example.com", "Example.com", "localhost:8000", "https://example.com", "example.com."):
            with self.subTest(domain), self.settings(SITE_DOMAIN=domain):
                self.assertEqual(ids(checks.check_site_domain(None)), ["databases.E006"])

    def test_a_budget_that_no_connection_fits_into_is_an_error(self):
        for connections, expected in ((64, []), (1, []), (0, ["databases.E008"]), (-1, ["databases.E008"])):
            with self.subTest(connections), self.settings(TENANT_CONNECTIONS=connections):
                self.assertEqual(ids(checks.check_connections(None)), expected)

    def test_a_server_whose_tenants_would_share_a_database_is_refused(self):
        url = "postgresql://ann@db.example.com/one"
        for environment in ({"TENANT_DATABASE_URL": url}, {"TENANT_SERVERS": f"second={url}"}):
            with self.subTest(environment), self.assertRaisesMessage(ImproperlyConfigured, "must hold {name}"):
                production.own_settings(**environment)

    def test_connecting_to_a_server_of_tenants_takes_no_longer_than_it_may(self):
        for url, expected in (
            ("postgresql://ann@db.example.com/{name}", 3),
            ("mysql://ann@db.example.com/{name}?connect_timeout=9", 9),
        ):
            servers = production.own_settings(TENANT_DATABASE_URL=url, TENANT_SERVERS=f"second={url}")["TENANT_SERVERS"]
            for server in servers.values():
                self.assertEqual(server["OPTIONS"]["connect_timeout"], expected)

    def test_what_each_tenant_would_have_of_its_own_is_refused_with_the_reason(self):
        url = "postgresql://ann:hunter2@db.example.com/{name}"
        for setting, reason in (("pool=true", "keep one of its own"), ("atomic_requests=true", "atomic_for(Model)")):
            for environment in (
                {"TENANT_DATABASE_URL": f"{url}?{setting}"},
                {"TENANT_SERVERS": f"second={url}?{setting}"},
            ):
                with self.subTest(environment), self.assertRaisesMessage(ImproperlyConfigured, reason) as refusal:
                    production.own_settings(**environment)
                self.assertNotIn("hunter2", str(refusal.exception))
        production.own_settings(TENANT_DATABASE_URL=f"{url}?sslmode=require")

    def test_the_primary_may_have_both_and_the_tenants_beside_it_have_neither(self):
        primary = "postgresql://ann@db.example.com/one?pool=true&atomic_requests=true&conn_max_age=0"
        found = production.own_settings(DEBUG="on", DATABASE_URL=primary, TENANT_DATABASE_URL="")
        self.assertTrue(found["DATABASES"]["default"]["ATOMIC_REQUESTS"])
        self.assertFalse(found["TENANT_SERVERS"]["default"]["ATOMIC_REQUESTS"])
        self.assertNotIn("pool", found["TENANT_SERVERS"]["default"]["OPTIONS"])

    def test_the_checks_are_registered(self):
        registered = registry.get_checks()
        for check in (
            checks.check_managers,
            checks.check_admins,
            checks.check_site_domain,
            checks.check_connections,
        ):
            self.assertIn(check, registered)
        self.assertEqual([each for each in run_checks() if str(each.id).startswith("databases.")], [])
