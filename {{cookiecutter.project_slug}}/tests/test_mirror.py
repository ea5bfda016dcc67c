"""The other application's data: tests read the rows of `seeds/fixtures/mirror.json`."""  # example

from django.test import TestCase

from accounts.models import Member, Organisation
from materials.models import Material


class MirrorTests(TestCase):
    databases = {"mirror"}

    def test_seeded_rows_are_read_through_the_copied_models(self):
        self.assertEqual(Member.objects.get(name="Chell").organisation.name, "Aperture Science")

    def test_a_query_joins_the_copies_of_several_apps(self):
        found = Material.objects.filter(collection__curator__organisation__name="Aperture Science")
        self.assertEqual([material.title for material in found], ["Thinking with portals"])

    def test_the_page_lists_the_rows_in_development(self):
        self.assertEqual(self.client.get("/members/").status_code, 404)
        with self.settings(DEBUG=True):
            self.assertContains(self.client.get("/members/"), "<li>Chell, Aperture Science</li>")

    def test_no_database_but_the_demo_is_written_as_the_other_application(self):
        with self.settings(DEBUG=True), self.assertLogs("django.request", "WARNING"):
            self.assertEqual(self.client.post("/members/", {"writer": "other application"}).status_code, 403)

    def test_a_test_adds_rows_that_the_next_test_does_not_see(self):
        # Only here: this is a test database. Outside of tests a write raises MirrorWriteError.
        Member.objects.create(organisation=Organisation.objects.get(pk=1), name="GLaDOS", joined="1998-05-16")
        self.assertEqual(Organisation.objects.get(pk=1).members.count(), 2)
