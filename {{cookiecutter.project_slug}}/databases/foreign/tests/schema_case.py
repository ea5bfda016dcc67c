"""A test case for tests that change tables."""

from django.test import TransactionTestCase


class SchemaTestCase(TransactionTestCase):
    """Does not flush after a test. Its tests drop what they create, and write rows only to tables of their own.

    A flush would cost more than most of these tests. On PostgreSQL it fails while a table of a test refers to others.
    Django has no public name for this step: `TestCase` overrides the same method.
    """

    def _fixture_teardown(self) -> None:
        pass
