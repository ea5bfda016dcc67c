"""A place on the test server where a test may have tenants made whose databases no setting declares."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

from django.conf import settings
from django.db import connections
from django.test import TestCase, override_settings

from databases.models import Tenant

NAMES = {
    "postgresql": "SELECT datname FROM pg_database",
    "mysql": "SELECT schema_name FROM information_schema.schemata",
}


class ScratchServerTestCase(TestCase):
    """What a test has made on it is dropped in the end; SQLite has it in a temporary folder."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        server = {**settings.TENANT_SERVERS["default"]}
        # Like those that Django makes: a user of tests need have no right to any other.
        self.beginning = f"test_{uuid.uuid4().hex[:8]}_"
        if server["ENGINE"].endswith("sqlite3"):
            server["NAME"] = str(Path(folder.name) / "tenants" / "{name}.sqlite3")
        else:
            server["NAME"] = self.beginning + "{name}"
        servers = override_settings(TENANT_SERVERS={"default": server})
        servers.enable()
        self.addCleanup(servers.disable)
        self.addCleanup(self.drop_all)

    def new_slug(self) -> str:
        """Return the slug of a tenant that no other test or process has."""
        return f"scratch-{uuid.uuid4().hex[:12]}"

    def drop_all(self) -> None:
        for tenant in Tenant.objects.all():
            if tenant.alias not in connections.settings:
                # Closes those that other threads have left open as well.
                del connections[tenant.alias]
        config = {**settings.TENANT_SERVERS["default"], "NAME": self.beginning}
        connection = connections.configure_settings({"default": {}, "scratch": config})["scratch"]
        with connections.instead("scratch", connection) as connection:
            if connection.vendor == "sqlite":
                return
            with connection._nodb_cursor() as cursor:
                cursor.execute(NAMES[connection.vendor])
                for (name,) in cursor.fetchall():
                    if name.startswith(self.beginning):
                        cursor.execute(f"DROP DATABASE {connection.ops.quote_name(name)}")
