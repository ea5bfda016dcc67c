"""What is frozen thaws for everybody, on PostgreSQL and SQLite."""

from __future__ import annotations

from django.db import ConnectionHandler, DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from databases.tenants.freeze import frozen, thaw
from databases.tenants.lifecycle import create_tenant
from databases.tenants.upkeep import settings_of

from .scratch_server import ScratchServerTestCase

READ = "SELECT id FROM things"
WRITE = "INSERT INTO things VALUES (1)"


class FreezingTests(ScratchServerTestCase):
    def setUp(self):
        super().setUp()
        tenant = create_tenant(self.new_slug())
        self.alias, self.config = tenant.alias, settings_of(tenant)
        self.run_in(self.other_process(), "CREATE TABLE things (id integer)")

    def other_process(self) -> BaseDatabaseWrapper:
        connection = ConnectionHandler({"default": self.config})["default"]
        self.addCleanup(connection.close)
        return connection

    def run_in(self, connection: BaseDatabaseWrapper, sql: str) -> list[tuple[int]]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def test_who_came_during_the_freeze_writes_after_it(self):
        if self.config["ENGINE"].endswith("mysql"):
            # There a freeze ends with its block, and needs rights that a user of tests need not have.
            return
        other = self.other_process()
        with frozen(self.alias, self.config, 1):
            self.assertEqual(self.run_in(other, READ), [])
        thaw(self.alias, self.config)
        try:
            self.run_in(other, WRITE)
        except DatabaseError:
            # Where its session was ended, the next request opens another one, as Django does it.
            other.close_if_unusable_or_obsolete()
            self.run_in(other, WRITE)
        self.assertEqual(self.run_in(other, READ), [(1,)])
