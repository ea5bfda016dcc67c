"""model_bakery makes rows for tests, and guesses their values."""

from model_bakery import baker

from compatibility.support import *

PACKAGES = ["model-bakery"]
VERDICTS = {
    "primary": "works",
    "secondary": "works",
    "mirror": "works: tests may write there",
    "replicas": "—",
    "tenants": "works",
}


class Primary(TestCase):
    def test_rows(self):
        baker.make(Note, _quantity=2, _bulk_create=True)
        self.assertEqual(Note.objects.count(), 2)


class Secondary(TestCase):
    def test_rows(self):
        self.assertEqual(baker.make(Event)._state.db, "secondary")


class Mirror(TestCase):
    def test_rows_and_their_relations(self):
        member = baker.make(Member)
        self.assertEqual((member._state.db, member.organisation._state.db), ("mirror", "mirror"))


class Tenants(TenantTestCase):
    def test_rows_of_the_current_tenant(self):
        for slug in self.tenants:
            with use_tenant(slug):
                self.assertEqual(baker.make(DataPoint)._state.db, f"tenant_{slug}")
        with self.assertRaises(NoTenantError):
            baker.make(DataPoint)
