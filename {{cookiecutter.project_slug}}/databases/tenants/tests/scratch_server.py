"""A part of the test server where a test may create tenants whose databases no setting declares."""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.test import TestCase, override_settings

from databases.tenants.leases import opened
from databases.tenants.maintenance import maintenance_connection
from databases.tenants.pool import pool

NAMES = {
    "postgresql": "SELECT datname FROM pg_database",
    "mysql": "SELECT schema_name FROM information_schema.schemata",
}
#: Roles that own such databases, other than the test user.
OWNERS = """
SELECT DISTINCT rolname FROM pg_database JOIN pg_roles r ON r.oid = datdba
WHERE datname = ANY(%s) AND rolname <> current_user
"""
#: The template of managed tenants. Building it takes longer than most tests.
TEMPLATE = re.compile(r"tenant_template_[0-9a-f]{16}")


class ScratchServerTestCase(TestCase):
    """Drops all databases that a test has made. The template is kept until the class ends, if `keeps_template`."""

    keeps_template = True
    beginning: str
    server: dict[str, Any]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        # Names begin with test_, like Django's: the test user may have rights to no others.
        cls.beginning = f"test_{uuid.uuid4().hex[:8]}_"
        cls.server = {**settings.TENANT_SERVERS["default"], "NAME": cls.beginning + "{name}"}
        if cls.server["ENGINE"].endswith("sqlite3"):
            cls.server["NAME"] = str(Path(folder.name) / "tenants" / "{name}.sqlite3")
        cls.addClassCleanup(cls.drop_databases, keep_template=False)

    def setUp(self):
        super().setUp()
        servers = override_settings(TENANT_SERVERS={"default": {**self.server}})
        servers.enable()
        self.addCleanup(servers.disable)
        self.addCleanup(self.drop_databases, keep_template=self.keeps_template)
        self.addCleanup(self.close_connections)

    def new_slug(self) -> str:
        """Return the slug of a tenant that no other test or process has."""
        return f"scratch-{uuid.uuid4().hex[:12]}"

    def close_connections(self) -> None:
        opened.give_back()
        pool.close_idle()

    @classmethod
    def drop_databases(cls, *, keep_template: bool) -> None:
        def is_dropped(name: str) -> bool:
            return not (keep_template and TEMPLATE.search(name))

        if cls.server["ENGINE"].endswith("sqlite3"):
            for file in Path(cls.server["NAME"]).parent.glob("*"):
                if is_dropped(file.name):
                    file.unlink()
            return
        with cls.cursor() as cursor:
            cursor.execute(NAMES[cursor.db.vendor])
            names = [name for (name,) in cursor.fetchall() if name.startswith(cls.beginning) and is_dropped(name)]
            owners = []
            if cursor.db.vendor == "postgresql":
                cursor.execute(OWNERS, [names])
                owners = [owner for (owner,) in cursor.fetchall()]
        # At the same time: before each drop PostgreSQL makes a checkpoint, which parallel drops share.
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(cls.drop_database, names))
        with cls.cursor() as cursor:
            for owner in owners:
                cursor.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s) ORDER BY 1 DESC", [owner])
                for (role,) in cursor.fetchall():
                    cursor.execute(f"DROP ROLE {cursor.db.ops.quote_name(role)}")

    @classmethod
    def drop_database(cls, name: str) -> None:
        with cls.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {cursor.db.ops.quote_name(name)}")

    @classmethod
    @contextmanager
    def cursor(cls) -> Iterator[Any]:
        """Within the block, a cursor on the test server, outside of these databases."""
        config = connections.configure_settings({"default": {}, "scratch": {**cls.server, "NAME": cls.beginning}})
        with maintenance_connection("scratch", config["scratch"]) as connection, connection._nodb_cursor() as cursor:
            yield cursor
