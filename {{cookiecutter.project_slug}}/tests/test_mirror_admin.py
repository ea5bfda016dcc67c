"""The admin of mirrored models shows them and writes nothing: asked in production, in a process of its own."""

from __future__ import annotations

import json
import tempfile
from typing import Any
from unittest import mock

from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connections
from django.test import Client, TestCase
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Member, Organisation
from databases.external import models_of
from databases.mirror.admin import BoundedPaginator, MirrorModelAdmin
from materials.models import Collection, Section

from . import production

#: Every registered model of the mirror.
SHOWN = [model for model in models_of("mirror") if site.is_registered(model)]


def page(model: type, name: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=arguments)


def pages_of(model: type) -> list[str]:
    key = model._base_manager.earliest("pk").pk
    return [page(model, "changelist"), page(model, "change", key), page(model, "history", key)]


def visitor(*codenames: str, **fields: Any) -> Client:
    """Return a client of a user who works in the admin, with these permissions."""
    user = User.objects.create(username="-".join(["user", *codenames, *fields]), is_staff=True, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client(headers={"host": "example.com"}, raise_request_exception=False)
    client.force_login(user)
    return client


def contents() -> list[Any]:
    return [list(model._base_manager.order_by("pk").values_list()) for model in models_of("mirror")]


def attempts(client: Client) -> dict[str, int]:
    """Try to write in every way that the admin knows, and return what was answered."""
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


def report() -> None:
    """Print what the admin answers. This runs in production."""
    call_command("migrate", verbosity=0)
    before = contents()
    viewer = visitor(*(f"view_{model._meta.model_name}" for model in SHOWN))
    everyone = {"nobody": visitor(), "viewer": viewer, "superuser": visitor(is_superuser=True)}
    shown = {
        name: {url: client.get(url).status_code for model in SHOWN for url in pages_of(model)}
        for name, client in everyone.items()
    }
    tried = {name: attempts(client) for name, client in everyone.items()}
    action = {"action": "delete_selected", "_selected_action": [1, 2], "post": "yes"}
    everyone["superuser"].post(page(Section, "changelist"), action)
    queries = {model._meta.label: queries_of(viewer, model) for model in SHOWN}
    field = {"app_label": "materials", "model_name": "collection", "field_name": "curator", "term": "che"}
    found = viewer.get(reverse("admin:autocomplete"), field).json()
    with (
        mock.patch.object(BoundedPaginator, "LIMIT", 2),
        mock.patch.object(MirrorModelAdmin, "list_per_page", 1),
    ):
        pages = {model._meta.label: viewer.get(page(model, "changelist")).content.decode() for model in SHOWN}
    print(json.dumps([shown, tried, contents() == before, queries, found, pages], default=str))


class AdminTests(TestCase):
    databases = {"default", "mirror"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with tempfile.TemporaryDirectory() as folder:
            cls.shown, cls.tried, cls.unchanged, cls.queries, cls.found, cls.pages = production.run(
                f"from {__name__} import report; report()",
                DATABASE_URL=f"sqlite:///{folder}/primary.sqlite3",
                MIRROR_DATABASE_URL=production.url_of("mirror", folder),
            )

    def test_every_page_is_shown_to_those_who_may_view_it(self):
        self.assertGreaterEqual(len(SHOWN), 7)
        self.assertEqual(set(self.shown["viewer"].values()), {200})
        self.assertEqual(set(self.shown["superuser"].values()), {200})
        self.assertEqual(set(self.shown["nobody"].values()), {403})

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

    def test_a_list_asks_for_its_rows_once(self):
        for label, queries in self.queries.items():
            self.assertEqual(len(queries), 2, label)

    def test_a_list_is_in_the_order_of_its_keys_which_needs_no_sorting(self):
        for label, queries in self.queries.items():
            self.assertRegex(queries[1], r" ORDER BY .\w+.\..id. (ASC|DESC)$", label)

    def test_a_list_that_has_reached_its_limit_says_so(self):
        said = "<h2>The first 2; search or filter for others</h2>"
        self.assertInHTML(said, self.pages["materials.Section"])
        self.assertNotIn(said, self.client.get(reverse("admin:login")).content.decode())

    def test_autocomplete_finds_mirrored_rows(self):
        self.assertEqual([row["text"] for row in self.found["results"]], ["Chell"])

    def test_it_is_the_same_in_tests(self):
        self.client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
        row = Organisation.objects.earliest("pk")
        self.assertContains(self.client.get(page(Organisation, "changelist")), row.name)
        self.assertEqual(self.client.post(page(Organisation, "change", row.pk), {"name": "ours"}).status_code, 403)
        self.assertEqual(Collection.objects.count(), 2)
