"""django-auditlog logs changes of rows. Its table is in the primary, and names rows by content type and key."""

from auditlog.models import LogEntry
from auditlog.signals import accessed
from django.db import transaction

from compatibility.support import *

PACKAGES = ["django-auditlog"]
SETTINGS = """
INSTALLED_APPS += ["auditlog"]
MIDDLEWARE += ["auditlog.middleware.AuditlogMiddleware"]
"""
FILES = {
    "notes/models.py": "from auditlog.registry import auditlog\nauditlog.register(Note)\n",
    "events/models.py": "from auditlog.registry import auditlog\nauditlog.register(Event)\n",
    "accounts/models.py": "from auditlog.registry import auditlog\nauditlog.register(Member)\n",
    "projects/models.py": """
from auditlog.registry import auditlog
from databases.tenants import current_tenant

def of_this_tenant(self):
    return {"tenant": current_tenant().slug}

DataPoint.get_additional_data = of_this_tenant
auditlog.register(DataPoint)
""",
}
VERDICTS = {
    "primary": "works",
    "secondary": "works with `atomic_for(LogEntry)` around a write in `atomic_for(Event)`; its own table stays in the "
    "primary",
    "mirror": "works: it logs that a row was read",
    "replicas": "works",
    "tenants": 'works with a `get_additional_data()` that returns `{"tenant": current_tenant().slug}`, and '
    "`filter(additional_data__tenant=…)`: `get_for_object()` alone finds entries of all tenants",
}
urlpatterns = [path("admin/", admin.site.urls)]


class Primary(TestCase):
    def test_the_admin_logs_changes_and_their_users(self):
        user = make_admin()
        self.client.force_login(user)
        self.client.post("/admin/notes/note/add/", {"text": "first"})
        note = Note.objects.get()
        self.client.post(f"/admin/notes/note/{note.pk}/change/", {"text": "second"})
        newest, oldest = LogEntry.objects.get_for_object(note)
        self.assertEqual((newest.actor, newest.changes), (user, {"text": ["first", "second"]}))
        self.assertContains(self.client.get(f"/admin/auditlog/logentry/{oldest.pk}/change/"), "first")


class Secondary(TransactionTestCase):
    def test_changes_in_the_secondary_are_logged_in_the_primary(self):
        with served() as statements:
            event = Event.objects.create(action="added", note_id=1)
            event.action = "changed"
            event.save()
        self.assertEqual(statements.aliases("auditlog_logentry"), {"default"})
        self.assertEqual(LogEntry.objects.get_for_object(event).count(), 2)
        self.assertEqual(LogEntry.objects.first().changes, {"action": ["added", "changed"]})

    def test_inside_a_transaction_the_entry_needs_its_own(self):
        with self.assertRaises(transaction.TransactionManagementError), atomic_for(Event):
            Event.objects.create(action="added", note_id=1)
        with atomic_for(LogEntry), atomic_for(Event):
            Event.objects.create(action="added", note_id=1)
        self.assertEqual(LogEntry.objects.count(), 1)

    def test_its_table_points_at_users(self):
        self.assertIn("databases.E004", complaint("APP_DATABASES['auditlog'] = 'secondary'"))


class Mirror(TestCase):
    def test_reading_a_row_is_logged(self):
        member = Member.objects.first()
        with production_mirror(), served() as statements:
            accessed.send(Member, instance=member)
        self.assertEqual(LogEntry.objects.get_for_object(member).get().action, LogEntry.Action.ACCESS)
        self.assertEqual(statements.aliases("INSERT"), {"default"})


class Replicas(TransactionTestCase):
    def test_entries_are_read_from_a_replica_and_old_values_from_the_primary(self):
        note = Note.objects.create(text="first")
        self.client.force_login(make_admin())
        with served() as statements:
            self.client.get("/admin/auditlog/logentry/")
        self.assertEqual(statements.aliases('FROM "auditlog_logentry"'), {"replica"})
        with served() as statements:
            self.client.post(f"/admin/notes/note/{note.pk}/change/", {"text": "second"})
        self.assertEqual(statements.aliases("notes_note"), {"default"})
        self.assertEqual(LogEntry.objects.first().changes, {"text": ["first", "second"]})


class Tenants(TenantTestCase):
    def test_entries_of_rows_with_one_key_are_told_apart_by_their_tenant(self):
        for slug, name in BOTH:
            with use_tenant(slug):
                row = DataPoint.objects.create(pk=1, name=name, value=1)
        entries = LogEntry.objects.get_for_object(row)
        self.assertEqual(entries.count(), 2)
        self.assertEqual(entries.get(additional_data__tenant=CAMPUS).changes["name"], ["None", "orbit"])
