"""django-import-export reads and writes files of rows."""

from import_export.resources import modelresource_factory
from tablib import Dataset

from compatibility.support import *

PACKAGES = ["django-import-export"]
SETTINGS = 'INSTALLED_APPS += ["import_export"]'
VERDICTS = {
    "primary": "works",
    "secondary": "works",
    "mirror": "works: it exports, and imports nothing",
    "replicas": "works",
    "tenants": "works",
}


def resource(model):
    return modelresource_factory(model)()


class Primary(TestCase):
    def test_rows_are_exported_and_imported(self):
        Note.objects.create(pk=1, text="first")
        rows = resource(Note).export()
        Note.objects.update(text="changed")
        self.assertFalse(resource(Note).import_data(rows, dry_run=True, use_transactions=True).has_errors())
        self.assertEqual(Note.objects.get().text, "changed")
        self.assertFalse(resource(Note).import_data(rows, use_transactions=True).has_errors())
        self.assertEqual(Note.objects.get().text, "first")


class Secondary(TestCase):
    def test_an_import_with_an_error_is_rolled_back(self):
        good, bad = {"action": "added", "note_id": 1}, {"action": "added", "note_id": "none"}
        for rows, expected in (([good, bad], 0), ([good], 1)):
            data = Dataset()
            data.dict = rows
            found = resource(Event).import_data(data, use_transactions=True)
            self.assertEqual(found.has_errors() or found.has_validation_errors(), expected == 0)
            self.assertEqual(Event.objects.count(), expected)


class Mirror(TestCase):
    def test_rows_are_exported_only(self):
        with production_mirror():
            rows = resource(Member).export()
            self.assertIn("Chell", rows.csv)
            with self.assertRaises(MirrorWriteError):
                resource(Member).import_data(rows, raise_errors=True)


urlpatterns = [path("", lambda request: HttpResponse(resource(Note).export().csv))]


class Replicas(TransactionTestCase):
    def test_a_page_exports_from_a_replica(self):
        Note.objects.create(text="first")
        with served() as statements:
            self.assertContains(self.client.get("/"), "first")
        self.assertEqual(statements.aliases("notes_note"), {"replica"})


class Tenants(TenantTestCase):
    def test_rows_move_from_one_tenant_to_another(self):
        with use_tenant(LABS):
            DataPoint.objects.create(pk=1, name="cake", value=1)
            rows = resource(DataPoint).export()
        with use_tenant(CAMPUS):
            DataPoint.objects.create(pk=1, name="orbit", value=1)
            self.assertFalse(resource(DataPoint).import_data(rows, use_transactions=True).has_errors())
            self.assertEqual(DataPoint.objects.get().name, "cake")
