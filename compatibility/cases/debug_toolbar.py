"""django-debug-toolbar shows the SQL of a page, with the alias of each statement's database."""

import json
import re

from compatibility.support import *

PACKAGES = ["django-debug-toolbar"]
SETTINGS = """
INSTALLED_APPS += ["debug_toolbar"]
MIDDLEWARE.insert(MIDDLEWARE.index(DATABASE_MIDDLEWARE[-1]) + 1, "debug_toolbar.middleware.DebugToolbarMiddleware")
DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": "config.toolbar.show", "IS_RUNNING_TESTS": False}
"""
FILES = {
    "config/toolbar.py": """
from django.db import connections

def show(request):
    if request.tenant:
        connections[request.tenant.alias].ensure_connection()
    return True
"""
}
VERDICTS = {
    "primary": "works",
    "secondary": "works",
    "mirror": "works",
    "replicas": "works",
    "tenants": "works with `DebugToolbarMiddleware` behind `*DATABASE_MIDDLEWARE`, and a `SHOW_TOOLBAR_CALLBACK` that "
    "calls `connections[request.tenant.alias].ensure_connection()`; otherwise it does not see the tenant's statements",
}


def page(request):
    for model in (Note, Event, Member, *[DataPoint] * bool(request.tenant)):
        list(model.objects.all())
    return HttpResponse("<html><body></body></html>")


urlpatterns = [path("page/", page), path("__debug__/", include("debug_toolbar.urls"))]


def aliases(get, slug=""):
    """Return the aliases in the SQL panel of the page."""
    key = re.search(r'data-request-id="([0-9a-f-]+)"', get("/page/", slug))[1]
    panel = json.loads(get("/__debug__/render_panel/", slug, request_id=key, panel_id="SQLPanel"))["content"]
    return [alias for alias in ALIASES if re.search(rf"\b{alias}\b", re.sub(r"<[^>]*>", " ", panel))]


class Primary(TestCase):
    expected = ["default", "secondary", "mirror"]

    def test_the_sql_panel_names_each_alias(self):
        def get(path, slug, **query):
            return self.client.get(path, query).content.decode()

        self.assertEqual(aliases(get), self.expected)


class Secondary(Primary):
    pass


class Mirror(Primary):
    pass


class Replicas(TransactionTestCase):
    expected = ["secondary", "mirror", "replica"]
    test_the_sql_panel_names_each_alias = Primary.test_the_sql_panel_names_each_alias


class Tenants(SimpleTestCase):
    def test_the_sql_panel_names_the_alias_of_the_tenant(self):
        code = "from compatibility.cases.debug_toolbar import aliases\nfound = [aliases(get, slug) for slug in {}]"
        panels = in_web_process(code.format([LABS, CAMPUS, LABS]))
        shared = ["secondary", "mirror", "replica"]
        self.assertEqual(panels, [[*shared, f"tenant_{slug}"] for slug in (LABS, CAMPUS, LABS)])
