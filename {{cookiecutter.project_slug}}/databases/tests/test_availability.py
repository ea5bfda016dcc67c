"""Which errors of drivers mean that a database is unavailable."""

from unittest import mock

from django.db import OperationalError, connection
from django.test import SimpleTestCase, TestCase
from django.utils.functional import SimpleLazyObject

from databases.availability import alias_of, is_outage


class WhichErrorsTests(SimpleTestCase):
    def test_errors_of_an_unavailable_database_are_an_outage(self):
        for state in (None, "08006", "08P01", "53300", "57P01", "57P03", "57014", "55P03", "40001"):
            self.assertTrue(is_outage(mock.Mock(sqlstate=state)), state)
        for code in (2002, 2003, 2006, 2013, 1040, 1045, 1053, 1205, 1969, 3024):
            self.assertTrue(is_outage(Exception(code, "…")), code)
        for text in ("unable to open database file", "database is locked", "disk I/O error"):
            self.assertTrue(is_outage(Exception(text)), text)

    def test_a_mistake_is_no_outage(self):
        for state in ("42P01", "25006", "0A000", "54001"):
            self.assertFalse(is_outage(mock.Mock(sqlstate=state)), state)
        for code in (1054, 1142, 1366, 1792):
            self.assertFalse(is_outage(Exception(code, "…")), code)
        for text in ("no such table: locked", "no such column: x", ""):
            self.assertFalse(is_outage(Exception(text)), text)
        self.assertFalse(is_outage(None))


class AliasTests(TestCase):
    def test_an_error_is_told_by_its_connection_and_lazy_objects_on_the_way_are_left_alone(self):
        def fail(self: object) -> None:
            with connection.wrap_database_errors:
                raise connection.Database.OperationalError("down")

        evaluated = mock.Mock()
        with self.assertRaises(OperationalError):
            try:
                fail(SimpleLazyObject(evaluated))
            except OperationalError as error:
                self.assertEqual(alias_of(error), "default")
                raise
        evaluated.assert_not_called()
