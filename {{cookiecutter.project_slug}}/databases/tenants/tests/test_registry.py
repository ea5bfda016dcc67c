"""The registry of tenants: which rows it accepts, and the connection settings that a row leads to."""

from dataclasses import replace
from unittest import mock

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections, transaction
from django.test import SimpleTestCase, TestCase, override_settings

from databases.tenants import UnknownTenantError
from databases.tenants.lifecycle import create_tenant
from databases.tenants.models import Tenant
from databases.tenants.registry import find

SERVERS = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "eu.example.com",
        "USER": "eu",
        "PASSWORD": "hunter2",
        "NAME": "{name}",
        "OPTIONS": {"sslmode": "require"},
    },
    "archive": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/archive/{name}.sqlite3"},
}


@override_settings(TENANT_SERVERS=SERVERS)
class ConnectionSettingsTests(SimpleTestCase):
    def test_each_tenant_has_the_engine_host_and_user_of_its_own_server(self):
        chell = Tenant(slug="chell", database="tenant_chell").connection_settings()
        horza = Tenant(slug="horza", database="horza_1987", server="archive").connection_settings()
        for key, ours, theirs in (
            ("ENGINE", "django.db.backends.postgresql", "django.db.backends.sqlite3"),
            ("NAME", "tenant_chell", "/srv/archive/horza_1987.sqlite3"),
            ("HOST", "eu.example.com", ""),
            ("USER", "eu", ""),
            ("PASSWORD", "hunter2", ""),
        ):
            with self.subTest(key):
                self.assertEqual((chell[key], horza[key]), (ours, theirs))

    def test_connection_settings_are_complete(self):
        config = Tenant(slug="chell", database="tenant_chell").connection_settings()
        self.assertLessEqual(set(connections.settings["default"]) - {"DISABLE_SERVER_SIDE_CURSORS"}, set(config))
        self.assertIs(config["ATOMIC_REQUESTS"], False)
        self.assertEqual(config["OPTIONS"], {"sslmode": "require"})

    def test_an_unknown_server_is_named_in_the_error(self):
        with self.assertRaisesMessage(LookupError, "The server 'gone' of tenant 'chell' is not in TENANT_SERVERS"):
            Tenant(slug="chell", database="x", server="gone").connection_settings()

    def test_a_row_that_was_never_validated_is_refused(self):
        for tenant in (Tenant(slug="chell", database="../x"), Tenant(slug="../chell", database="x")):
            self.assertRaises(ValueError, tenant.connection_settings)

    def test_a_tenant_shows_no_secrets(self):
        tenant = Tenant(slug="chell", database="tenant_chell")
        self.assertNotIn("hunter2", f"{tenant} {tenant!r} {vars(tenant)} {tenant.info.entry}")
        info = replace(tenant.info, database="hunter2")
        self.assertEqual((str(info), repr(info)), ("chell", "<TenantInfo chell: pending>"))


@override_settings(TENANT_SERVERS=SERVERS)
class RefusalTests(TestCase):
    """All of these are refused before a tenant's server is contacted."""

    def refuse(self, message: str, slug: str = "chell", **options: str) -> None:
        with self.assertRaisesMessage(ValueError, message) as refusal:
            create_tenant(slug, **options)
        self.assertNotIn("hunter2", str(refusal.exception))
        self.assertFalse(Tenant.objects.filter(status=Tenant.Status.ACTIVE).exists())

    def test_invalid_slugs_are_refused(self):
        for slug in (
            "",
            "Chell",
            "x'; DROP TABLE y; --",
            'x"',
            "x\\",
            "x\n",
            "x\0",
            "é",
            "x.y",
            "x/y",
            "../x",
            "x" * 42,
        ):
            with self.subTest(slug):
                self.refuse("cannot be a tenant's slug", slug)

    def test_invalid_database_names_are_refused(self):
        for name in (
            "../x",
            "/abs",
            ".hidden",
            "-x",
            "x'y",
            'x"y',
            "x`y",
            "x;y",
            "x y",
            "x\\y",
            "x\0",
            "x\n",
            "é",
            "{name}",
            "x" * 64,
        ):
            with self.subTest(name):
                self.refuse("cannot be a database's name", database=name)

    def test_an_unknown_server_is_refused(self):
        self.refuse("There is no server 'gone': name one of default, archive.", server="gone")

    def test_the_database_of_another_tenant_is_refused(self):
        Tenant.objects.create(slug="horza", database="shared")
        self.refuse("belongs to the tenant 'horza' already", database="shared", server="default")
        self.refuse("belongs to the tenant 'horza' already", database="SHARED", server="default")
        with self.assertRaises(IntegrityError), transaction.atomic():
            Tenant.objects.create(slug="chell", database="shared")
        Tenant.objects.create(slug="chell", database="shared", server="archive")

    def test_the_database_of_another_tenant_is_refused_for_any_user(self):
        servers = {**SERVERS, "twin": {**SERVERS["archive"], "USER": "another"}}
        Tenant.objects.create(slug="horza", database="shared", server="archive")
        with override_settings(TENANT_SERVERS=servers):
            self.refuse("belongs to the tenant 'horza' already", database="shared", server="twin")

    def test_a_tenant_on_an_unknown_server_blocks_no_other(self):
        Tenant.objects.create(slug="horza", database="shared", server="gone")
        with mock.patch(f"{settings.TENANT_PROVISIONING}.make_ready"):
            self.assertEqual(create_tenant("chell", database="shared").status, Tenant.Status.ACTIVE)

    def test_the_database_of_another_alias_is_refused(self):
        other = {**SERVERS["archive"], "NAME": "/srv/archive/app.sqlite3"}
        with mock.patch.dict(settings.DATABASES, {"other": other}):
            self.refuse("The database 'app' on 'archive' is that of 'other'", server="archive", database="app")

    def test_forms_refuse_what_create_tenant_refuses(self):
        Tenant(slug="chell", database="tenant_chell").full_clean()
        for values in ({"slug": "Chell"}, {"slug": "chell\n"}, {"database": "../x"}, {"database": "x\n"}):
            with self.subTest(values), self.assertRaises(ValidationError):
                Tenant(**{"slug": "chell", "database": "x", **values}).full_clean()

    def test_an_unknown_tenant_is_an_error(self):
        with self.assertRaisesMessage(UnknownTenantError, "There is no tenant 'chell': see `list_tenants`"):
            find("chell")
