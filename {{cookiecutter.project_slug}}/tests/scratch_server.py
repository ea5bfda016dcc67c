"""A place on the test server where a test may have tenants made whose databases no setting declares."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

from django.conf import settings
from django.db import connections
from django.test import TestCase, override_settings

from databases.models import Tenant


class ScratchServerTestCase(TestCase):
    """Databases of the slugs from `new_slug()` are dropped after the test; SQLite has them in a temporary folder."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        server = {**settings.TENANT_SERVERS["default"]}
        if server["ENGINE"].endswith("sqlite3"):
            server["NAME"] = str(Path(folder.name) / "tenants" / "{name}.sqlite3")
        servers = override_settings(TENANT_SERVERS={"default": server})
        servers.enable()
        self.addCleanup(servers.disable)

    def new_slug(self) -> str:
        """Return the slug of a tenant that no other test or process has."""
        slug = f"scratch-{uuid.uuid4().hex[:12]}"
        self.addCleanup(self.drop, slug)
        return slug

    def drop(self, slug: str) -> None:
        tenant = Tenant.objects.filter(slug=slug, server="default").first()
        if tenant is None:
            return
        connection = connections[tenant.alias]
        connection.close()
        if connection.vendor != "sqlite":
            with connection._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {connection.ops.quote_name(connection.settings_dict['NAME'])}")
        del connections[tenant.alias]
