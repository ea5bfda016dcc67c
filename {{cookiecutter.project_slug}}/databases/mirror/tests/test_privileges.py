"""The rights of the mirror's user as a check. The servers' own answers are tested by the template, with real users."""

import os
import tempfile
from pathlib import Path
from unittest import mock

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import ConnectionHandler, OperationalError, connections
from django.test import SimpleTestCase, TestCase

from databases.environment import sqlite
from databases.mirror import privileges
from databases.mirror.privileges import MOST, check_privileges, mysql_rights
from databases.mirror.settings import mirror_database

TO = "TO `reader`@`%`"


def rights(*grants: str, database: str = "main_site") -> list[tuple[str, str]]:
    return list(mysql_rights([(grant,) for grant in grants], database))


class MysqlTests(SimpleTestCase):
    def test_a_user_that_reads_has_no_other_right(self):
        for grant in (
            f"GRANT USAGE ON *.* {TO} IDENTIFIED BY PASSWORD '*0123'",
            f"GRANT SELECT, SHOW VIEW ON `main\\_site`.* {TO}",
            f"GRANT SELECT (`INSERT`, `b)c`) ON `main_site`.`a` {TO}",
            f"GRANT SHOW DATABASES ON *.* {TO} REQUIRE SSL",
            "SET DEFAULT ROLE `a` FOR `reader`@`%`",
        ):
            with self.subTest(grant):
                self.assertEqual(rights(grant), [])

    def test_every_other_right_is_named_with_the_statement_that_takes_it_away(self):
        for grant, words, on in (
            ("SELECT, INSERT, LOCK TABLES ON *.*", "INSERT, LOCK TABLES", "*.*"),
            ("SELECT (`a`), UPDATE (`b)c`, `a`) ON `main_site`.`t`", "UPDATE", "`main_site`.`t`"),
            ("EXECUTE ON PROCEDURE `main_site`.`p`", "EXECUTE", "PROCEDURE `main_site`.`p`"),
            ("BACKUP_ADMIN,SUPER ON *.*", "BACKUP_ADMIN, SUPER", "*.*"),
        ):
            with self.subTest(grant):
                ((found, cure),) = rights(f"GRANT {grant} {TO}")
                self.assertEqual(found, f"{words} on {on} as `reader`@`%`")
                self.assertEqual(cure, f"REVOKE {words} ON {on} FROM `reader`@`%`")

    def test_all_privileges_and_the_grant_option_have_statements_of_their_own(self):
        hash_ = "IDENTIFIED BY PASSWORD '*0123'"
        (found,) = rights(f"GRANT ALL PRIVILEGES ON `main_site`.* {TO} {hash_} WITH GRANT OPTION")
        self.assertEqual(found[0], "ALL PRIVILEGES, GRANT OPTION on `main_site`.* as `reader`@`%`")
        on, back = "ON `main_site`.* FROM `reader`@`%`", "GRANT SELECT, SHOW VIEW ON `main_site`.* TO `reader`@`%`"
        self.assertEqual(found[1], f"REVOKE GRANT OPTION {on}; REVOKE ALL PRIVILEGES {on}; {back}")
        (found,) = rights(f"GRANT SELECT ON `main_site`.* {TO} WITH GRANT OPTION")
        self.assertEqual(found[1], f"REVOKE GRANT OPTION {on}")

    def test_only_grants_that_cover_the_mirrors_database_count(self):
        for quoted, counts in {
            "main_site": True,
            "MAIN_SITE": True,
            "main%": True,
            "ma_n\\_site": True,
            "%": True,
            "main": False,
            "main_site_2": False,
            "_main_site": False,
        }.items():
            with self.subTest(quoted):
                self.assertEqual(bool(rights(f"GRANT DELETE ON `{quoted}`.* {TO}")), counts)
        self.assertTrue(rights(f"GRANT DELETE ON `a``.b`.* {TO}", database="a`.b"))

    def test_each_role_is_a_finding_whatever_it_may_do(self):
        for role in ("`outer`", "`a`@`%`,`b`@`%`", "`o``dd`", "PROXY ON ''@'%'"):
            with self.subTest(role):
                ((words, cure),) = rights(f"GRANT {role} {TO} WITH ADMIN OPTION", "GRANT DELETE ON *.* TO `outer`")
                self.assertEqual(words, f"whatever {role} may do (grant SELECT to the user itself)")
                self.assertEqual(cure, f"REVOKE {role} FROM `reader`@`%`")
        # Everybody's rights do not end with a membership.
        ((_, cure),) = rights("GRANT TRIGGER ON `main_site`.* TO PUBLIC")
        self.assertEqual(cure, "REVOKE TRIGGER ON `main_site`.* FROM PUBLIC")

    def test_a_grant_that_is_not_understood_is_a_right_and_not_quoted(self):
        ((words, _),) = rights("GRANT secret")
        self.assertEqual(words, "a grant that this check does not understand")


class SqliteTests(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name, "up 100%.sqlite3")
        self.file.touch()

    def rights(self, config):
        with mock.patch.object(privileges, "connections", ConnectionHandler({"default": {}, "mirror": config})):
            return privileges.read_rights()

    def test_a_file_that_this_process_may_write_is_a_right(self):
        url = f"sqlite:///{self.file}".replace("%", "%25").replace(" ", "%20")
        for config in (sqlite(self.file), mirror_database(url, None)):
            (right,) = self.rights(config)
            self.assertEqual(right[0], "this process may write the file")
            self.assertIn("may read the file and not write it", right[1])
            with mock.patch.object(os, "access", return_value=False) as access:
                self.assertEqual(self.rights(config), [])
            access.assert_called_once_with(str(self.file), os.W_OK)


class CheckTests(TestCase):
    # Django's own check of MySQL connects to both.
    databases = {"default", "mirror"}

    def test_it_runs_in_checks_of_deployments_that_name_the_mirror(self):
        with mock.patch.object(privileges, "read_rights", return_value=[("a", "b")]):
            for deploy, databases, count in ((True, ["mirror"], 1), (False, ["mirror"], 0), (True, ["default"], 0)):
                found = checks.run_checks(
                    tags=[checks.Tags.database], databases=databases, include_deployment_checks=deploy
                )
                self.assertEqual([each.id for each in found].count("databases.W003"), count)
            self.assertEqual(check_privileges(None), [])

    def test_a_warning_names_the_right_and_its_cure(self):
        with mock.patch.object(privileges, "read_rights", return_value=[("DELETE on a", "Run: REVOKE b;")]):
            (found,) = check_privileges(None, ["mirror"])
        self.assertEqual(found.msg, "The mirror's user may do more than read: DELETE on a.")
        self.assertEqual((found.hint, found.level, found.id), ("Run: REVOKE b;", checks.WARNING, "databases.W003"))

    def test_the_number_of_warnings_is_bounded(self):
        with mock.patch.object(privileges, "read_rights", return_value=[("a", "b")] * (MOST + 1)):
            found = check_privileges(None, ["mirror"])
        self.assertEqual(len(found), MOST)
        self.assertIn("There are more", found[-1].hint)
        with mock.patch.object(privileges, "read_rights", return_value=[("a", "b")] * MOST):
            self.assertEqual(check_privileges(None, ["mirror"])[-1].hint, "b")

    def test_a_mirror_that_cannot_be_read_is_a_warning_without_the_drivers_message(self):
        for error in (OperationalError("at secret:5432"), ImproperlyConfigured("secret")):
            with mock.patch.object(privileges, "read_rights", side_effect=error):
                (found,) = check_privileges(None, ["mirror"])
            self.assertEqual((found.id, found.level), ("databases.W004", checks.WARNING))
            self.assertNotIn("secret", f"{found.msg} {found.hint}")

    def test_the_user_of_the_tests_may_write(self):
        # SQLite's test database is in memory.
        rights = privileges.read_rights()
        self.assertEqual(bool(rights), connections["mirror"].vendor != "sqlite")
        self.assertTrue(all(" run as an administrator: " in cure for _, cure in rights))
