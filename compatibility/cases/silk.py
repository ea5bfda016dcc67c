"""django-silk records requests and their SQL, with EXPLAIN, in tables."""

from django.conf import settings
from silk.models import SQLQuery

from compatibility.support import *

PACKAGES = ["django-silk"]
SETTINGS = """
INSTALLED_APPS += ["silk"]
MIDDLEWARE.insert(0, "silk.middleware.SilkyMiddleware")
"""
IN_SECONDARY = ["silk"]
VERDICTS = {
    "primary": "works",
    "secondary": 'works with `APP_DATABASES["silk"] = "secondary"`',
    "mirror": "works",
    "replicas": "works with `SilkyMiddleware` before `*DATABASE_MIDDLEWARE`; behind it, its own write sends all reads "
    "to the primary",
    "tenants": "works: its pages show the statements of all tenants",
}


def page(request):
    """Read all databases."""
    for model in (Note, Event, Member, *[DataPoint] * bool(request.tenant)):
        list(model.objects.all())
    return HttpResponse()


urlpatterns = [path("page/", page), path("silk/", include("silk.urls", namespace="silk"))]


class Primary(TransactionTestCase):
    home = "default"

    def test_statements_on_all_databases_are_recorded_and_shown(self):
        with served() as statements:
            self.client.get("/page/")
        self.assertEqual(statements.aliases("silk_request"), {self.home})
        for table in ("notes_note", "events_event", "accounts_member"):
            self.assertIn("Scan", SQLQuery.objects.get(query__contains=f'FROM "{table}"').analysis)
        self.assertContains(self.client.get("/silk/requests/"), "/page/")
        self.assertContains(
            self.client.get(f"/silk/request/{SQLQuery.objects.first().request_id}/sql/"), "accounts_member"
        )


class Secondary(Primary):
    home = "secondary"


class Mirror(Primary):
    pass


class Replicas(TransactionTestCase):
    def reads(self):
        with served() as statements:
            self.client.get("/page/")
        return statements.aliases('FROM "notes_note"')

    def test_a_recorded_page_reads_a_replica(self):
        self.assertEqual(self.reads(), {"replica"})

    def test_behind_the_layer_s_middleware_it_keeps_reads_on_the_primary(self):
        with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE[1:], settings.MIDDLEWARE[0]]):
            self.assertEqual(self.reads(), {"default"})


class Tenants(SimpleTestCase):
    def test_statements_of_tenants_are_recorded(self):
        code = """
from silk.models import SQLQuery
pages = [get("/page/", slug) for slug in {}]
found = [row.analysis for row in SQLQuery.objects.filter(query__contains='FROM "projects_datapoint"')]
"""
        found = in_web_process(code.format([LABS, CAMPUS]))
        self.assertEqual(["Scan" in analysis for analysis in found], [True, True])
