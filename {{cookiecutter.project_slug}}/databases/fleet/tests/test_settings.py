"""The servers in `TENANT_SERVERS`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from databases.tests import production

URL = "postgresql://ann:hunter2@db.example.com/{name}"


class ServerSettingTests(SimpleTestCase):
    def servers(self, pairs: str, url: str = URL) -> dict[str, Any]:
        return production.own_settings(TENANT_DATABASE_URL=url, TENANT_SERVERS=pairs)["TENANT_SERVERS"]

    def assert_refused(self, reason: str, pairs: str, url: str = URL) -> None:
        with self.subTest(pairs), self.assertRaisesMessage(ImproperlyConfigured, reason) as refusal:
            self.servers(pairs, url)
        self.assertNotIn("hunter2", str(refusal.exception))

    def test_each_server_has_its_name(self):
        servers = self.servers(f"second={URL.replace('db', 'eu')},third-1={URL}")
        self.assertEqual(list(servers), ["default", "second", "third-1"])
        self.assertEqual(servers["second"]["HOST"], "eu.example.com")

    def test_a_name_that_is_missing_taken_or_not_a_name_is_refused(self):
        for pairs in (URL, f"={URL}", f"default={URL}", f"a={URL},a={URL}", f"{URL}?sslmode=require", f"a b={URL}"):
            self.assert_refused("TENANT_SERVERS must be name=URL pairs", pairs)

    def test_a_server_whose_tenants_would_share_a_database_is_refused(self):
        self.assert_refused("must hold {name}", f"second={URL.replace('{name}', 'one')}")

    def test_another_engine_is_refused(self):
        self.assert_refused("'second' must be PostgreSQL", "second=sqlite:////srv/{name}.sqlite3")
        self.assert_refused("'default' must be PostgreSQL", "", "sqlite:////srv/{name}.sqlite3")

    def test_what_each_tenant_would_have_for_itself_is_refused_with_the_reason(self):
        for setting, reason in (("pool=true", "keep its own"), ("atomic_requests=true", "atomic_for(Model)")):
            self.assert_refused(reason, f"second={URL}?{setting}")

    def test_connecting_is_limited_in_time(self):
        servers = self.servers(f"second={URL}")
        self.assertEqual([server["OPTIONS"]["connect_timeout"] for server in servers.values()], [3, 3])
