"""django-celery-results keeps the results of Celery's tasks in a table."""

from celery import Celery, shared_task
from celery.result import AsyncResult
from django_celery_results.models import TaskResult

from compatibility.support import *
from databases.tenants.celery import TenantTask

PACKAGES = ["django-celery-results", "celery"]
SETTINGS = 'INSTALLED_APPS += ["django_celery_results"]'
IN_SECONDARY = ["django_celery_results"]
VERDICTS = {
    "primary": "works",
    "secondary": 'works with `APP_DATABASES["django_celery_results"] = "secondary"`',
    "mirror": "—",
    "replicas": "works",
    "tenants": "works: the results of all tenants are in one table",
}
app = Celery("compatibility", broker="memory://", backend="django-db", set_as_current=True)
app.conf.update(task_always_eager=True, task_store_eager_result=True, result_extended=True)


@shared_task
def double(number):
    return 2 * number


@shared_task
def fail():
    raise ValueError("no cake")


@shared_task(base=TenantTask)
def count_points():
    return [point.name for point in DataPoint.objects.all()]


urlpatterns = [path("<uuid:key>/", lambda request, key: HttpResponse(str(AsyncResult(str(key)).result)))]


class Primary(TransactionTestCase):
    home = "default"

    def test_results_and_errors_are_kept(self):
        with served() as statements:
            key = double.delay(21).id
            self.assertEqual(AsyncResult(key).get(), 42)
            self.assertEqual(AsyncResult(fail.delay().id).status, "FAILURE")
        self.assertEqual(TaskResult.objects.get(task_id=key).status, "SUCCESS")
        self.assertEqual(statements.aliases("django_celery_results"), {self.home})

    def test_old_results_are_deleted(self):
        double.delay(1)
        app.backend.cleanup()
        self.assertEqual(TaskResult.objects.count(), 1)
        TaskResult.objects.update(date_done="2020-01-01T00:00Z")
        app.backend.cleanup()
        self.assertEqual(TaskResult.objects.count(), 0)


class Secondary(Primary):
    home = "secondary"


class Replicas(TransactionTestCase):
    def test_a_page_reads_results_from_a_replica(self):
        key = double.delay(21).id
        with served() as statements:
            self.assertContains(self.client.get(f"/{key}/"), "42")
        self.assertEqual(statements.aliases("django_celery_results"), {"replica"})


class Tenants(TenantTransactionTestCase):
    def test_a_task_returns_the_rows_of_its_tenant(self):
        keys = {}
        for slug, name in BOTH:
            with use_tenant(slug):
                DataPoint.objects.create(name=name, value=1)
                keys[name] = count_points.delay().id
        for name, key in keys.items():
            self.assertEqual(AsyncResult(key).get(), [name])
