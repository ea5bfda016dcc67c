"""django-tasks-db is a queue for Django's tasks, in a table."""

from django.core.management import call_command
from django.tasks import default_task_backend, task
from django_tasks_db.models import DBTaskResult

from compatibility.support import *
from databases.tenants.django_tasks import tenant_task

PACKAGES = ["django-tasks-db"]
SETTINGS = """
INSTALLED_APPS += ["django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
"""
IN_SECONDARY = ["django_tasks_database"]
VERDICTS = {
    "primary": "works",
    "secondary": 'works with `APP_DATABASES["django_tasks_database"] = "secondary"`, and `atomic_for(DBTaskResult)` '
    "around `enqueue()` in a transaction on the primary",
    "mirror": "—",
    "replicas": "works",
    "tenants": "works with `tenant_task`",
}


@task
def add_note(text):
    return Note.objects.create(text=text).pk


@tenant_task
def add_point(name):
    DataPoint.objects.create(name=name, value=1)


def status(request, key):
    return HttpResponse(default_task_backend.get_result(key).status)


urlpatterns = [path("<uuid:key>/", status)]


def work():
    """Run what is in the queue."""
    call_command("db_worker", batch=True, interval=0, startup_delay=False, verbosity=0)


class Primary(TransactionTestCase):
    home = "default"

    def test_a_worker_runs_what_was_enqueued(self):
        with served() as statements:
            result = add_note.enqueue("cake")
            work()
            result.refresh()
        self.assertEqual(result.return_value, Note.objects.get().pk)
        self.assertEqual(statements.aliases("dbtaskresult"), {self.home})

    def test_a_task_is_enqueued_with_what_it_needs(self):
        with atomic_for(Note), atomic_for(DBTaskResult):
            Note.objects.create(text="first")
            add_note.enqueue("second")
        work()
        self.assertEqual(Note.objects.count(), 2)


class Secondary(Primary):
    home = "secondary"


class Replicas(TransactionTestCase):
    def test_a_page_reads_the_status_from_a_replica_and_a_worker_reads_the_primary(self):
        result = add_note.enqueue("cake")
        with served() as statements:
            self.assertContains(self.client.get(f"/{result.id}/"), "READY")
        self.assertEqual(statements.aliases("dbtaskresult"), {"replica"})
        with served() as statements:
            work()
        self.assertEqual({alias for alias, _ in statements}, {"default"})


class Tenants(TenantTransactionTestCase):
    def test_a_worker_runs_each_task_as_its_tenant(self):
        for slug, name in BOTH:
            with use_tenant(slug):
                add_point.enqueue(name)
        work()
        for slug, name in BOTH:
            with use_tenant(slug):
                self.assertEqual([each.name for each in DataPoint.objects.all()], [name])
