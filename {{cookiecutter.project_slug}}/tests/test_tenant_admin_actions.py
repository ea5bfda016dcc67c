"""What the admin does to databases of tenants: done, told of, and told of as an error where it is not done."""

from __future__ import annotations

from unittest import mock

from django.contrib.auth.models import User
from django.contrib.messages import ERROR, SUCCESS
from django.test import override_settings
from django.urls import reverse

from databases import admin
from databases.models import Tenant
from databases.tenants import history
from databases.tenants.upkeep import connected, settings_of

from .test_tenant_copies import CopiesTestCase

Status = Tenant.Status


class ActionTests(CopiesTestCase):
    def setUp(self):
        super().setUp()
        self.client.force_login(User.objects.create_superuser("ann"))

    def act(self, action: str, **values: str) -> list[tuple[int, str]]:
        """Return the messages after an action on the tenant, each with its level."""
        chosen = {"_selected_action": [self.row().pk], "action": action, **values}
        response = self.client.post(reverse("admin:databases_tenant_changelist"), chosen, follow=True)
        return [(message.level, str(message)) for message in response.context["messages"]]

    def test_a_tenant_is_archived_and_restored(self):
        archives = self.folder / "archives"
        with override_settings(TENANT_ARCHIVES=str(archives)):
            self.assertEqual(self.act("archive"), [(SUCCESS, "acme: done")])
        self.assertEqual((self.row().status, self.source.exists()), (Status.ARCHIVED, False))
        self.assertEqual(len(self.files("archives")), 1)
        self.assertEqual(self.act("restore", server=""), [(SUCCESS, "acme: done")])
        self.check_served_from("default")

    def test_a_tenant_is_restored_to_the_server_that_is_chosen(self):
        with override_settings(TENANT_ARCHIVES=str(self.folder / "archives")):
            self.act("archive")
        self.assertEqual(self.act("restore", server="eu"), [(SUCCESS, "acme: done")])
        self.check_served_from("eu")

    def test_one_that_is_no_archive_is_not_restored(self):
        ((level, line),) = self.act("restore")
        self.assertEqual(level, ERROR)
        self.assertIn("acme: ", line)
        self.check_served_from("default")

    def test_without_a_folder_for_archives_nothing_is_archived(self):
        ((level, line),) = self.act("archive")
        self.assertEqual(level, ERROR)
        self.assertIn("TENANT_ARCHIVES is not set", line)
        self.check_served_from("default")

    def test_failures_of_all_actions_are_messages_without_secrets(self):
        # A server that is no more: whatever else there is to an action comes after asking it.
        Tenant.objects.filter(slug="acme").update(server="gone", password="fernet:hunter2")
        actions = set(admin.TenantAdmin.actions) - {"suspend", "resume"}
        with override_settings(TENANT_ARCHIVES=str(self.folder / "archives")):
            for action in actions:
                with self.subTest(action):
                    told = self.act(action, server="default")
                    self.assertIn(ERROR, [level for level, _ in told])
                    self.assertIn("acme: ", told[0][1])
                    self.assertNotIn("hunter2", str(told))

    def test_a_tenant_is_moved_to_the_server_that_is_chosen(self):
        self.assertEqual(self.act("move", server="eu"), [(SUCCESS, "acme: done")])
        self.check_served_from("eu")

    def test_a_tenant_is_migrated(self):
        self.assertEqual(self.act("migrate"), [(SUCCESS, "acme: done")])
        with connected("tenant_acme", settings_of(self.row())) as connection:
            self.assertTrue(history.is_complete(history.applied_in(connection)))

    def test_a_tenant_that_could_not_be_migrated_is_an_error(self):
        self.write("CREATE TABLE projects_datapoint (id integer)")
        ((level, line),) = self.act("migrate")
        self.assertEqual(level, ERROR)
        self.assertIn("acme: projects.0001_initial: ", line)

    def test_credentials_are_rotated_and_each_line_about_it_is_shown(self):
        for failed, level in (([], SUCCESS), (["acme"], ERROR)):
            with mock.patch.object(admin, "rotate_all", return_value=failed) as rotate_all:
                rotate_all.side_effect = lambda slugs, report: report(f"{slugs[0]}: so it went") or mock.DEFAULT
                self.assertEqual(self.act("rotate_credentials"), [(level, "acme: so it went")])
