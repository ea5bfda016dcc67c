"""django-filter makes querysets of query strings."""

from django_filters.filterset import filterset_factory

from compatibility.support import *

PACKAGES = ["django-filter"]
SETTINGS = 'INSTALLED_APPS += ["django_filters"]'
VERDICTS = {"primary": "works", "secondary": "works", "mirror": "works", "replicas": "works", "tenants": "works"}


def page_of(model, field):
    """Return a page with the rows that its query string asks for, and the databases of these."""
    filters = filterset_factory(model, fields=[field])
    return lambda request: HttpResponse(", ".join(f"{row} of {row._state.db}" for row in filters(request.GET).qs))


urlpatterns = [
    path("notes/", page_of(Note, "text")),
    path("events/", page_of(Event, "action")),
    path("members/", page_of(Member, "organisation__name")),
    path("points/", page_of(DataPoint, "name")),
]


class Primary(TestCase):
    def test_a_page_filters(self):
        Note.objects.bulk_create([Note(text="first"), Note(text="second")])
        self.assertEqual(self.client.get("/notes/?text=first").content, b"first of default")


class Secondary(TestCase):
    def test_a_page_filters(self):
        Event.objects.bulk_create([Event(action="added", note_id=0), Event(action="changed", note_id=1)])
        self.assertEqual(self.client.get("/events/?action=added").content, b"added 0 of secondary")


class Mirror(TestCase):
    def test_a_page_filters_by_a_relation(self):
        page = self.client.get("/members/?organisation__name=Aperture+Science")
        self.assertEqual(page.content, b"Chell of mirror")


class Replicas(TransactionTestCase):
    def test_a_page_filters(self):
        Note.objects.bulk_create([Note(text="first"), Note(text="second")])
        self.assertEqual(self.client.get("/notes/?text=first").content, b"first of replica")


class Tenants(TenantTestCase):
    def test_a_page_filters_the_rows_of_its_tenant(self):
        for slug, name in BOTH:
            with use_tenant(slug):
                DataPoint.objects.create(name=name, value=1)
                page = self.client.get("/points/?name=cake")
            self.assertEqual(page.content.decode(), f"cake = 1.0 of tenant_{slug}" if name == "cake" else "")
