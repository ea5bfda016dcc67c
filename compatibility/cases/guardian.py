"""django-guardian gives users permissions for single rows. Its tables name rows by content type and key."""

from django.db import ProgrammingError
from guardian.shortcuts import assign_perm, get_objects_for_user, get_users_with_perms

from compatibility.support import *

PACKAGES = ["django-guardian"]
SETTINGS = """
INSTALLED_APPS += ["guardian"]
AUTHENTICATION_BACKENDS += ["users.backends.Guardian"]
READ_FROM_PRIMARY += ["guardian"]
"""
FILES = {
    "users/backends.py": """
from databases.tenants.members import MembersOnly
from guardian.backends import ObjectPermissionBackend

class Guardian(MembersOnly, ObjectPermissionBackend):
    pass
"""
}
VERDICTS = {
    "primary": "works",
    "secondary": "does not: Django looks for the content type of a row in the row's own database",
    "mirror": "does not: Django looks for the content type of a row in the row's own database",
    "replicas": 'works with `READ_FROM_PRIMARY = ["guardian"]`, and `get_objects_for_user()` in `use_primary()`',
    "tenants": "does not: Django looks for the content type of a row in the row's own database",
}


class Primary(TestCase):
    def test_permissions_for_one_row(self):
        user, ours, theirs = make_user(), Note.objects.create(text="ours"), Note.objects.create(text="theirs")
        assign_perm("notes.view_note", user, ours)
        self.assertTrue(user.has_perm("notes.view_note", ours))
        self.assertFalse(user.has_perm("notes.view_note", theirs))
        self.assertEqual(list(get_users_with_perms(ours)), [user])
        self.assertEqual(list(get_objects_for_user(user, "notes.view_note")), [ours])


class Secondary(TestCase):
    def test_a_row_of_another_database_gets_no_permission(self):
        with self.assertRaisesRegex(ProgrammingError, "django_content_type"):
            assign_perm("events.view_event", make_user(), Event.objects.create(action="added", note_id=1))

    def test_its_tables_point_at_users(self):
        self.assertIn("databases.E004", complaint("APP_DATABASES['guardian'] = 'secondary'"))


class Mirror(TestCase):
    def test_content_types_of_the_other_application_are_refused(self):
        with connections["mirror"].cursor() as cursor:
            cursor.execute(
                "CREATE TABLE django_content_type AS SELECT 1 AS id, 'accounts' AS app_label, 'member' AS model"
            )
        with production_mirror(), self.assertRaisesRegex(ValueError, "router prevents"):
            assign_perm("accounts.view_member", make_user(), Member.objects.first())


def page(request, primary):
    find = use_primary()(lambda: list(objects())) if primary else lambda: list(objects())

    def objects():
        return get_objects_for_user(request.user, "notes.view_note")

    row = Note.objects.first()
    return HttpResponse(f"{find()} {request.user.has_perm('notes.view_note', row)}")


urlpatterns = [path("<int:primary>/", page)]


class Replicas(TransactionTestCase):
    def test_permissions_are_read_from_the_primary(self):
        user, note = make_user(), Note.objects.create(text="ours")
        assign_perm("notes.view_note", user, note)
        self.client.force_login(user)
        for primary, aliases in ((1, {"default"}), (0, {"default", "replica"})):
            with served() as statements:
                self.assertContains(self.client.get(f"/{primary}/"), "ours")
            self.assertEqual(statements.aliases("guardian_"), aliases)
            self.assertIn("replica", statements.aliases("notes_note"))


class Tenants(TenantTestCase):
    def test_a_row_of_a_tenant_gets_no_permission(self):
        with use_tenant(LABS), self.assertRaisesRegex(ProgrammingError, "django_content_type"):
            assign_perm("projects.view_datapoint", make_user(), DataPoint.objects.create(name="cake", value=1))
