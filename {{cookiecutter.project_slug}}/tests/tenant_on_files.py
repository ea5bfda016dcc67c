"""A tenant whose database is a SQLite file: how it is archived and moved is the same on every engine."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from django.test import TestCase, override_settings

from databases.models import Tenant, TenantCopy
from databases.tenants import archive

Kind = TenantCopy.Kind
Status = Tenant.Status


class PowerCut(BaseException):
    """Like the end of a process: nothing that handles errors gets to see it, and no clearing up is done."""


class CopiesTestCase(TestCase):
    """Two servers in a temporary folder, and the tenant `acme` with three rows on the first."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        servers = {
            name: {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self.folder / name / "{name}.sqlite3")}
            for name in ("default", "eu")
        }
        servers["other"] = {"ENGINE": "django.db.backends.postgresql", "NAME": "{name}"}
        changed = override_settings(TENANT_SERVERS=servers, TENANT_CACHE_SECONDS=0)
        changed.enable()
        self.addCleanup(changed.disable)
        Tenant.objects.create(slug="acme", database="acme", status=Status.ACTIVE)
        self.source = self.folder / "default" / "acme.sqlite3"
        self.source.parent.mkdir()
        (self.folder / "eu").mkdir()
        self.write("CREATE TABLE thing (id integer PRIMARY KEY, name text UNIQUE, data blob)")
        for name in ("cake", "orbit", "o'brien; --"):
            self.write("INSERT INTO thing (name, data) VALUES (?, x'00ff')", name)

    def write(self, statement: str, *values: str, path: Path | None = None) -> None:
        database = sqlite3.connect(path or self.path(), timeout=0)
        with database:
            database.execute(statement, values)
        database.close()

    def row(self) -> Tenant:
        return Tenant.objects.get(slug="acme")

    def path(self) -> Path:
        """Return the file of the tenant's database."""
        return Path(self.row().connection_settings()["NAME"])

    def names(self) -> list[str]:
        database = sqlite3.connect(f"file:{self.path()}?mode=ro", uri=True)
        names = [row[0] for row in database.execute("SELECT name FROM thing ORDER BY id")]
        database.close()
        return names

    def files(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.folder / folder).glob("*"))

    def check_served_from(self, server: str) -> None:
        """Check that the tenant is active there, with all rows, and can be written to; nothing half-made is left."""
        self.assertEqual((self.row().status, self.row().server), (Status.ACTIVE, server))
        self.assertEqual(self.names(), ["cake", "orbit", "o'brien; --"])
        self.write("UPDATE thing SET name = 'cake' WHERE name = 'cake'")
        self.assertFalse(TenantCopy.objects.exclude(kind__in=[Kind.ARCHIVE, Kind.OLD, Kind.OLD_ARCHIVE]).exists())

    def archive(self) -> TenantCopy:
        return archive.archive("acme", self.folder / "archives")
