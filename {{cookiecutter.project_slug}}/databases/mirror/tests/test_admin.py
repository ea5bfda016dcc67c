"""The admin shows mirrored models and writes nothing. One process in production answers for most of these tests."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock, skipUnless

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import Client, TestCase
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse

from databases.mirror.admin import BoundedPaginator, MirrorModelAdmin
from databases.mirror.tests.library.models import Chapter, Collection, Material, Section, Subject
from databases.mirror.tests.people.models import Member, Organisation
from databases.tests import production
from databases.tests.plain_site import plain_site


class CollectionAdmin(MirrorModelAdmin):
    list_display = ("title", "parent", "curator")
    # Named, because Django 5.2 automatically selects only relations that cannot be NULL.
    list_select_related = ("parent", "curator")
    search_fields = ("title",)
    autocomplete_fields = ("curator",)


class MemberAdmin(MirrorModelAdmin):
    list_display = ("name", "organisation", "joined")
    search_fields = ("name", "organisation__name")


class MaterialAdmin(MirrorModelAdmin):
    list_display = ("title", "collection", "updated")


class ChapterAdmin(MirrorModelAdmin):
    list_display = ("title", "number", "material")


class SectionAdmin(MirrorModelAdmin):
    list_display = ("__str__", "chapter")


class NamedAdmin(MirrorModelAdmin):
    list_display = ("name",)


site = AdminSite()
SHOWN: dict[type, type[MirrorModelAdmin]] = {
    **{Organisation: NamedAdmin, Member: MemberAdmin, Subject: NamedAdmin, Collection: CollectionAdmin},
    **{Material: MaterialAdmin, Chapter: ChapterAdmin, Section: SectionAdmin},
}
for model, admin in SHOWN.items():
    site.register(model, admin)


@dataclass
class Visitor:
    """What the admin asks of a user. The user model and its permissions may be the project's own."""

    permissions: frozenset[str] = frozenset()
    is_superuser: bool = False
    pk = id = 1
    is_active = is_staff = is_authenticated = True
    is_anonymous = False

    def has_perm(self, permission: str, obj: Any = None) -> bool:
        return self.is_superuser or permission in self.permissions

    def has_module_perms(self, label: str) -> bool:
        return self.is_superuser or any(each.startswith(f"{label}.") for each in self.permissions)

    def has_usable_password(self) -> bool:
        return False

    def get_username(self) -> str:
        return "visitor"


VISITORS = {
    "no permission": Visitor(),
    "viewer": Visitor(frozenset(f"{model._meta.app_label}.view_{model._meta.model_name}" for model in SHOWN)),
    "superuser": Visitor(is_superuser=True),
}


def visitor_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        request.user = VISITORS[request.headers["X-Visitor"]]
        return get_response(request)

    return middleware


def __getattr__(name: str) -> Any:
    # The URLs of an admin cannot be made without django.contrib.admin, which a project may have removed.
    if name == "urlpatterns":
        return [path("admin/", site.urls)]
    raise AttributeError(name)


def admin_site() -> Any:
    """Return the settings of a site that has nothing but this admin."""
    messages = {"MESSAGE_STORAGE": "django.contrib.messages.storage.cookie.CookieStorage"}
    middleware = (f"{__name__}.visitor_middleware", "django.contrib.messages.middleware.MessageMiddleware")
    return plain_site(__name__, *middleware, **messages)


def client_of(name: str) -> Client:
    return Client(headers={"host": "example.com", "x-visitor": name}, raise_request_exception=False)


def page(model: type, name: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=arguments)


def pages_of(model: type) -> list[str]:
    key = model._base_manager.earliest("pk").pk
    return [page(model, "changelist"), page(model, "change", key), page(model, "history", key)]


def contents() -> list[Any]:
    return [list(model._base_manager.order_by("pk").values_list()) for model in (*SHOWN, Material.subjects.through)]


def attempts(client: Client) -> dict[str, int]:
    """Try to write in every way that the admin has, and return the status codes."""
    member = Member.objects.earliest("pk")
    row = {"name": "ours", "joined": "2026-01-05", "organisation": member.organisation_id}
    change, delete = page(Member, "change", member.pk), page(Member, "delete", member.pk)
    return {
        "page to add": client.get(page(Member, "add")).status_code,
        "add": client.post(page(Member, "add"), row).status_code,
        "change": client.post(change, row).status_code,
        "save as new": client.post(change, {**row, "_saveasnew": "1"}).status_code,
        "page to delete": client.get(delete).status_code,
        "delete": client.post(delete, {"post": "yes"}).status_code,
    }


def queries_of(client: Client, model: type) -> list[str]:
    with CaptureQueriesContext(connections["mirror"]) as captured:
        client.get(page(model, "changelist"))
    return [query["sql"] for query in captured]


def make_tables() -> None:
    """Create the tables of the primary that pages of history read."""
    labels = dict.fromkeys(["contenttypes", "auth", get_user_model()._meta.app_label, "admin"])
    with connections["default"].schema_editor() as editor:
        for label in labels:
            for model in apps.get_app_config(label).get_models():
                editor.create_model(model)


def report() -> None:
    """Print what the admin answers. This runs in production."""
    make_tables()
    with admin_site():
        before = contents()
        clients = {name: client_of(name) for name in VISITORS}
        shown = {
            name: {url: client.get(url).status_code for model in SHOWN for url in pages_of(model)}
            for name, client in clients.items()
        }
        tried = {name: attempts(client) for name, client in clients.items()}
        action = {"action": "delete_selected", "_selected_action": [1, 2], "post": "yes"}
        clients["superuser"].post(page(Section, "changelist"), action)
        viewer = clients["viewer"]
        queries = {model._meta.label: queries_of(viewer, model) for model in SHOWN}
        field = {"app_label": "layer_library", "model_name": "collection", "field_name": "curator", "term": "che"}
        found = viewer.get(reverse("admin:autocomplete"), field).json()
        with (
            mock.patch.object(BoundedPaginator, "LIMIT", 2),
            mock.patch.object(MirrorModelAdmin, "list_per_page", 1),
        ):
            pages = {"reached": viewer.get(page(Section, "changelist")).content.decode()}
        pages["not reached"] = viewer.get(page(Section, "changelist")).content.decode()
        print(json.dumps([shown, tried, contents() == before, queries, found, pages], default=str))


@skipUnless(apps.is_installed("django.contrib.admin"), "The project has no admin.")
class AdminTests(TestCase):
    databases = {"mirror"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with tempfile.TemporaryDirectory() as folder:
            cls.shown, cls.tried, cls.unchanged, cls.queries, cls.found, cls.pages = production.run(
                f"from {__name__} import report; report()",
                DATABASE_URL=f"sqlite:///{folder}/primary.sqlite3",
                MIRROR_DATABASE_URL=production.url_of("mirror", folder),
            )

    def test_every_page_is_shown_to_users_who_may_view_it(self):
        self.assertEqual(set(self.shown["viewer"].values()), {200})
        self.assertEqual(set(self.shown["superuser"].values()), {200})
        self.assertEqual(set(self.shown["no permission"].values()), {403})

    def test_writing_is_forbidden_to_everyone(self):
        for who, answers in self.tried.items():
            with self.subTest(who):
                self.assertEqual(set(answers.values()), {403}, answers)

    def test_nothing_was_written(self):
        self.assertTrue(self.unchanged)

    def test_a_list_counts_no_further_than_its_limit(self):
        for label, queries in self.queries.items():
            counts = [sql for sql in queries if "COUNT(" in sql]
            with self.subTest(label):
                self.assertEqual(len(counts), 1)
                self.assertRegex(counts[0], r"^SELECT COUNT\(\*\) FROM \(SELECT .* LIMIT 10000\) ")
                self.assertNotIn("ORDER BY", counts[0])

    def test_a_list_reads_its_rows_with_one_query(self):
        for label, queries in self.queries.items():
            self.assertEqual(len(queries), 2, label)

    def test_a_list_is_ordered_by_primary_key_which_needs_no_sorting(self):
        for label, queries in self.queries.items():
            self.assertRegex(queries[1], r" ORDER BY .\w+.\..id. (ASC|DESC)$", label)

    def test_a_list_that_reaches_its_limit_says_so(self):
        subtitle = "<h2>The first 2; search or filter for others</h2>"
        self.assertInHTML(subtitle, self.pages["reached"])
        self.assertNotIn("search or filter for others", self.pages["not reached"])

    def test_autocomplete_finds_mirrored_rows(self):
        self.assertEqual([row["text"] for row in self.found["results"]], ["Chell"])

    def test_the_admin_is_the_same_in_tests(self):
        row = Organisation.objects.earliest("pk")
        with admin_site():
            client = client_of("superuser")
            self.assertContains(client.get(page(Organisation, "changelist")), row.name)
            self.assertEqual(client.post(page(Organisation, "change", row.pk), {"name": "ours"}).status_code, 403)
        row.refresh_from_db()
        self.assertNotEqual(row.name, "ours")
