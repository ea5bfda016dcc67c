"""factory_boy makes rows for tests."""

import datetime

from factory import Faker, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory

from compatibility.support import *

PACKAGES = ["factory-boy"]
VERDICTS = {
    "primary": "works",
    "secondary": "works",
    "mirror": "works: tests may write there",
    "replicas": "—",
    "tenants": "works",
}


def factory_of(of, **declarations):
    return type("Factory", (DjangoModelFactory,), {"Meta": type("Meta", (), {"model": of}), **declarations})


notes = factory_of(Note, text=Sequence("note {}".format))
events = factory_of(Event, action="added", note_id=LazyFunction(lambda: notes().pk))
companies = factory_of(Organisation, name=Faker("company"))
members = factory_of(Member, organisation=SubFactory(companies), name=Faker("name"), joined=datetime.date(1998, 5, 16))
points = factory_of(DataPoint, name=Sequence("point {}".format), value=1)


class Primary(TestCase):
    def test_rows(self):
        self.assertEqual({row._state.db for row in notes.create_batch(2)}, {"default"})


class Secondary(TestCase):
    def test_rows_and_their_keys_into_the_primary(self):
        event = events()
        self.assertEqual((event._state.db, Note.objects.get().pk), ("secondary", event.note_id))


class Mirror(TestCase):
    def test_rows_and_their_relations(self):
        member = members()
        self.assertEqual((member._state.db, member.organisation._state.db), ("mirror", "mirror"))


class Tenants(TenantTestCase):
    def test_rows_of_the_current_tenant(self):
        for slug in self.tenants:
            with use_tenant(slug):
                self.assertEqual({row._state.db for row in points.create_batch(2)}, {f"tenant_{slug}"})
        with self.assertRaises(NoTenantError):
            points()
