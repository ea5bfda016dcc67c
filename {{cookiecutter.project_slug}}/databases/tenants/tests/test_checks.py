"""The system checks of tenants."""

from __future__ import annotations

from unittest import mock

from django.contrib import admin
from django.contrib.admin import sites
from django.contrib.auth.backends import ModelBackend
from django.core.checks import CheckMessage
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test import SimpleTestCase
from django.test.utils import isolate_apps

from databases.environment import beside, from_url
from databases.tenants import TenantModel, checks, sessions
from databases.tenants import settings as tenant_settings
from databases.tenants.admin import TenantModelAdmin
from databases.tenants.cache import TenantCache
from databases.tenants.members import MembersOnly
from databases.tenants.models import TenantManager, TenantQuerySet
from databases.tenants.settings import tenant_server
from databases.tenants.storage import TenantStorage
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.site import own_site


class OwnQuerySet(TenantQuerySet):
    pass


class OwnManager(TenantManager):
    pass


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [each.id for each in found]


class ManagerTests(SimpleTestCase):
    def check(self, **managers: models.Manager) -> list[CheckMessage]:
        """Return the check's messages for a model with these managers."""
        meta = type("Meta", (), {"app_label": "layer_points"})
        with isolate_apps("databases.tenants.tests.points") as isolated, mock.patch.object(checks, "apps", isolated):
            type("Sample", (TenantModel,), {"__module__": __name__, "Meta": meta, **managers})
            return checks.check_managers(None)

    def test_managers_of_tenant_querysets_pass(self):
        for manager in (
            TenantManager(),
            OwnManager(),
            OwnQuerySet.as_manager(),
            OwnManager.from_queryset(OwnQuerySet)(),
        ):
            self.assertEqual(self.check(objects=manager), [])
        self.assertEqual(self.check(), [])

    def test_a_manager_of_other_querysets_is_an_error(self):
        for make in (models.Manager, models.QuerySet.as_manager):
            for managers in ({"objects": make()}, {"objects": TenantManager(), "others": make()}):
                (error,) = self.check(**managers)
                self.assertEqual(error.id, "databases.E005")
                self.assertIn(f"layer_points.Sample.{list(managers)[-1]}", error.msg)
                self.assertIn("TenantManager", str(error.hint))


class AdminTests(SimpleTestCase):
    def check(self, model_admin: type[admin.ModelAdmin]) -> list[CheckMessage]:
        """Return the check's messages for a tenant model with this admin."""
        # Sites register themselves here: this one is visible to the check only.
        with mock.patch.object(sites, "all_sites", set()):
            admin.AdminSite().register(DataPoint, model_admin)
            return checks.check_admins(None)

    def test_an_admin_that_logs_the_tenant_passes(self):
        self.assertEqual(self.check(TenantModelAdmin), [])

    def test_an_admin_that_shares_its_history_is_an_error(self):
        (error,) = self.check(admin.ModelAdmin)
        self.assertEqual((error.id, error.obj), ("databases.E009", DataPoint))
        self.assertIn("TenantModelAdmin", str(error.hint))

    def test_a_project_without_the_admin_passes(self):
        with mock.patch.object(checks.apps, "is_installed", return_value=False):
            self.assertEqual(self.check(admin.ModelAdmin), [])


def errors(number: str) -> list[CheckMessage]:
    """Return the errors of the settings with this number."""
    return [each for each in checks.check_settings(None) if each.id == f"databases.{number}"]


class SettingTests(SimpleTestCase):
    def test_a_site_domain_that_matches_no_host_is_an_error(self):
        for domain in ("example.com", "localhost", "a.example.com"):
            with self.settings(SITE_DOMAIN=domain):
                self.assertEqual(errors("E006"), [])
        for domain in ("", ".example.com", "Example.com", "localhost:8000", "https://example.com", "example.com."):
            with self.subTest(domain), self.settings(SITE_DOMAIN=domain):
                self.assertEqual(len(errors("E006")), 1)

    def test_a_limit_of_no_connections_is_an_error(self):
        for connections, expected in ((64, 0), (1, 0), (0, 1), (-1, 1)):
            with self.subTest(connections), self.settings(TENANT_CONNECTIONS=connections):
                self.assertEqual(len(errors("E008")), expected)

    def test_a_backend_that_asks_for_no_membership_is_an_error(self):
        ours = "databases.tenants.members.MemberBackend"
        for backends, expected in (
            ([ours], 0),
            ([f"{__name__}.OwnBackend"], 0),
            (["django.contrib.auth.backends.ModelBackend"], 1),
            ([ours, "django.contrib.auth.backends.ModelBackend", "nowhere.Backend"], 2),
        ):
            with self.subTest(backends), self.settings(AUTHENTICATION_BACKENDS=backends):
                found = errors("E020")
                self.assertEqual(len(found), expected)
                for error, named in zip(found, backends[-expected:], strict=False):
                    self.assertIn(f"names {named!r}", error.msg)
                    self.assertIn("MembersOnly", str(error.hint))

    def test_a_resolver_that_cannot_be_imported_is_an_error(self):
        for resolver, expected in (
            ("databases.tenants.resolvers.by_path", 0),
            ("databases.tenants.resolvers.by_colour", 1),
            ("nowhere", 1),
        ):
            with self.subTest(resolver), self.settings(TENANT_RESOLVER=resolver):
                self.assertEqual([resolver in error.msg for error in errors("E021")], [True] * expected)

    def test_a_project_without_the_middleware_is_an_error(self):
        self.assertEqual(errors("E022"), [])
        with self.settings(MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"]):
            self.assertEqual(len(errors("E022")), 1)

    def test_the_checks_are_registered(self):
        registered = registry.get_checks()
        for name, check in vars(checks).items():
            if name.startswith("check_"):
                self.assertIn(check, registered)


class OwnStorage(TenantStorage):
    pass


class OwnCache(TenantCache):
    pass


class OwnBackend(MembersOnly, ModelBackend):
    pass


class SessionStore(sessions.SessionStore):
    """What `SESSION_ENGINE = __name__` leads to."""


class BelongingsTests(SimpleTestCase):
    def test_the_shipped_settings_pass(self):
        with own_site:
            for check in (checks.check_caches, checks.check_storage, checks.check_settings):
                self.assertEqual(check(None), [])

    def test_a_cache_with_shared_keys_is_an_error(self):
        shared = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
        with self.settings(CACHES={"default": tenant_settings.CACHES["default"], "pages": shared, "none": {}}):
            found = checks.check_caches(None)
        self.assertEqual(ids(found), ["databases.E012"] * 2)
        self.assertIn(f"CACHES['pages'] is '{shared['BACKEND']}'", found[0].msg)
        self.assertIn("databases.tenants.cache", str(found[0].hint))
        with self.settings(CACHES={"default": {"BACKEND": f"{__name__}.OwnCache"}}):
            self.assertEqual(checks.check_caches(None), [])

    def test_a_storage_that_tenants_share_is_an_error(self):
        for backend in ("django.core.files.storage.FileSystemStorage", "nowhere.Storage", __name__):
            with self.subTest(backend), self.settings(STORAGES={"default": {"BACKEND": backend}}):
                (error,) = checks.check_storage(None)
                self.assertEqual(error.id, "databases.E013")
                self.assertIn(f"STORAGES['default'] is '{backend}'", error.msg)
                self.assertIn("TenantFileSystemStorage", str(error.hint))
        with self.settings(STORAGES={}):
            self.assertEqual(ids(checks.check_storage(None)), ["databases.E013"])
        ours, shared = {"BACKEND": f"{__name__}.OwnStorage"}, {"BACKEND": "django.core.files.storage.FileSystemStorage"}
        with self.settings(STORAGES={"default": ours, "staticfiles": shared}):
            self.assertEqual(checks.check_storage(None), [])
        with self.settings(STORAGES={"default": ours, "uploads": shared}):
            (error,) = checks.check_storage(None)
            self.assertIn("STORAGES['uploads']", error.msg)

    def test_sessions_that_are_valid_for_all_tenants_are_an_error(self):
        for engine in ("django.contrib.sessions.backends.db", "django.contrib.sessions.backends.cache", "nowhere"):
            with self.subTest(engine), self.settings(SESSION_ENGINE=engine):
                (error,) = errors("E014")
                self.assertIn(f"SESSION_ENGINE is '{engine}'", error.msg)
                self.assertIn("databases.tenants.sessions.SessionStore", str(error.hint))
        with self.settings(SESSION_ENGINE=__name__):
            self.assertEqual(errors("E014"), [])


class ServerUrlTests(SimpleTestCase):
    def refuse(self, message: str, url: str) -> None:
        with self.assertRaisesMessage(ImproperlyConfigured, message) as refusal:
            tenant_server(url, "TENANT_DATABASE_URL")
        self.assertIn("TENANT_DATABASE_URL", str(refusal.exception))
        self.assertNotIn("hunter2", str(refusal.exception))

    def test_a_server_url_without_name_is_refused(self):
        self.refuse("must hold {name}", "postgresql://ann:hunter2@db.example.com/one")

    def test_pools_and_atomic_requests_are_refused(self):
        url = "postgresql://ann:hunter2@db.example.com/{name}"
        self.refuse("keep its own", f"{url}?pool=true")
        self.refuse("atomic_for(Model)", f"{url}?atomic_requests=true")
        self.assertEqual(tenant_server(f"{url}?sslmode=require", "X")["OPTIONS"]["sslmode"], "require")

    def test_connecting_to_a_tenants_server_has_a_time_limit(self):
        for url, expected in (
            ("postgresql://ann@db.example.com/{name}", 3),
            ("mysql://ann@db.example.com/{name}?connect_timeout=9", 9),
        ):
            self.assertEqual(tenant_server(url, "X")["OPTIONS"]["connect_timeout"], expected)

    def test_tenants_beside_the_primary_inherit_no_pool_or_atomic_requests(self):
        primary = from_url("postgresql://ann@db.example.com/one?pool=true&atomic_requests=true&conn_max_age=0", "X")
        self.assertTrue(primary["ATOMIC_REQUESTS"])
        server = tenant_server("", "TENANT_DATABASE_URL", beside(primary, "{name}"))
        self.assertFalse(server["ATOMIC_REQUESTS"])
        self.assertNotIn("pool", server["OPTIONS"])
