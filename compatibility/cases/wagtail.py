"""Wagtail: pages, their editor, their public side."""

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from notes.models import NewsPage
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.models import GroupPagePermission, Locale, Page, Site

from compatibility.support import *

PACKAGES = ["wagtail"]
SETTINGS = """
INSTALLED_APPS += [
    "django.contrib.postgres", "wagtail.contrib.forms", "wagtail.contrib.redirects", "wagtail.embeds", "wagtail.sites",
    "wagtail.users", "wagtail.snippets", "wagtail.documents", "wagtail.images", "wagtail.search", "wagtail.admin",
    "wagtail", "modelcluster", "taggit", "django_filters",
]
READ_FROM_PRIMARY += [f"wagtailcore.Group{each}Permission" for each in ("Page", "Collection", "Site")]
MIDDLEWARE += ["wagtail.contrib.redirects.middleware.RedirectMiddleware"]
WAGTAIL_SITE_NAME = "News"
WAGTAILADMIN_BASE_URL = "http://testserver"
"""
FILES = {
    "notes/models.py": """
from wagtail.admin.panels import FieldPanel
from wagtail.models import Page

class NewsPage(Page):
    body = models.TextField(blank=True)
    content_panels = [*Page.content_panels, FieldPanel("body")]

    def get_context(self, request):
        from accounts.models import Member
        from events.models import Event
        from projects.models import DataPoint

        found = {"members": Member.objects.all()}
        found |= {"points": DataPoint.objects.all()} if request.tenant else {"events": Event.objects.all()}
        return {**super().get_context(request), **found}
""",
    "notes/templates/notes/news_page.html": """
{{ page.title }}: {{ page.body }} {% for each in members %}{{ each }}{% endfor %}
{% for each in points %}{{ each }}{% endfor %} {% for each in events %}{{ each }}{% endfor %}
""",
}
VERDICTS = {
    "primary": "works",
    "secondary": "does not: its tables point at users and content types (databases.E004); its pages show rows from "
    "there",
    "mirror": "works: its pages show rows from there",
    "replicas": 'works with `READ_FROM_PRIMARY = ["wagtailcore.GroupPagePermission", '
    '"wagtailcore.GroupCollectionPermission", "wagtailcore.GroupSitePermission"]`, otherwise an editor keeps a revoked '
    "right while a replica lags",
    "tenants": "works: its pages show the rows of the tenant, and belong to all tenants",
}
urlpatterns = [path("cms/", include(wagtailadmin_urls)), path("pages/", include(wagtail_urls))]


class Editor:
    """Makes a site, and edits pages as a browser does."""

    def setUp(self):
        super().setUp()
        ContentType.objects.clear_cache()
        Locale.objects.get_or_create(language_code="en")
        Page.objects.all().delete()
        root = Page.add_root(instance=Page(title="Root", slug="root"))
        self.home = root.add_child(instance=NewsPage(title="Home", slug="home"))
        Site.objects.all().delete()
        Site.objects.create(hostname="testserver", root_page=self.home, is_default_site=True)

    def log_in(self, **fields):
        self.client.force_login(make_admin(**fields))

    def publish(self, title):
        add = f"/cms/pages/add/notes/newspage/{self.home.pk}/"
        self.assertEqual(self.client.get(add).status_code, 200)
        fields = {"title": title, "slug": title.lower(), "body": "cake", "action-publish": "1"}
        # Wagtail's own fields for comments.
        fields |= {f"comments-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS")}
        self.assertEqual(self.client.post(add, {**fields, "comments-MAX_NUM_FORMS": ""}).status_code, 302)
        return fields


class Primary(Editor, TransactionTestCase):
    def test_a_page_is_written_published_changed_and_found(self):
        self.log_in()
        fields = self.publish("News")
        self.assertContains(self.client.get("/pages/news/"), "News: cake")
        page = NewsPage.objects.get(slug="news")
        edit = f"/cms/pages/{page.pk}/edit/"
        self.assertContains(self.client.get(edit), "cake")
        self.client.post(edit, {**fields, "body": "portal", "comments-MAX_NUM_FORMS": ""})
        self.assertContains(self.client_class().get("/pages/news/"), "News: portal")
        self.assertEqual(page.revisions.count(), 2)
        self.assertContains(self.client.get(f"/cms/pages/{page.pk}/history/"), "Published")
        self.assertContains(self.client.get("/cms/pages/search/", {"q": "news"}), edit)


class Secondary(SimpleTestCase):
    def test_its_tables_point_at_users(self):
        self.assertIn("databases.E004", complaint("APP_DATABASES['wagtailcore'] = 'secondary'"))


class Mirror(Editor, TestCase):
    def test_a_page_shows_mirrored_rows(self):
        self.assertContains(self.client.get("/pages/"), "Chell")


class Replicas(Primary):
    def test_a_page_is_read_from_a_replica(self):
        with served() as statements:
            self.assertContains(self.client.get("/pages/"), "Home")
        self.assertEqual(statements.aliases("wagtailcore_page"), {"replica"})

    def test_permissions_are_read_from_the_primary(self):
        user, group = make_user(), Group.objects.create(name="writers")
        user.groups.add(group)
        group.permissions.add(Permission.objects.get(codename="access_admin"))
        permission = Permission.objects.get(codename="change_page", content_type__app_label="wagtailcore")
        GroupPagePermission.objects.create(group=group, page=self.home, permission=permission)
        self.client.force_login(user)
        with served() as statements:
            self.assertEqual(self.client.get(f"/cms/pages/{self.home.pk}/edit/").status_code, 200)
        self.assertEqual(statements.aliases('FROM "wagtailcore_grouppagepermission"'), {"default"})


class Tenants(Editor, TenantTestCase):
    def test_a_page_shows_the_rows_of_the_tenant(self):
        for slug, name in BOTH:
            with use_tenant(slug):
                DataPoint.objects.create(name=name, value=1)
                page = self.client.get("/pages/").content.decode()
            self.assertEqual([word in page for _, word in BOTH], [word == name for _, word in BOTH])

    def test_only_members_edit_at_a_tenant_s_host(self):
        with use_tenant(LABS):
            self.log_in(member_of=(LABS,))
            self.publish("News")
        with use_tenant(CAMPUS):
            self.assertEqual(self.client.get("/cms/").status_code, 302)
            self.assertContains(self.client.get("/pages/news/"), "News: cake")
