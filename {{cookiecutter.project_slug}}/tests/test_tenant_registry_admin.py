"""Tenants in the admin: what may be changed there, what is told, and what is not shown."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import TestCase
from django.urls import reverse

from databases.models import Tenant


class AdminTests(TestCase):
    def setUp(self):
        self.tenant = Tenant.objects.create(
            slug="chell", database="tenant_chell", status="active", user="user_of_chell", password="fernet:hunter2"
        )
        self.other = Tenant.objects.create(slug="horza", database="tenant_horza")
        self.client.force_login(User.objects.create_superuser("ann"))
        self.page = reverse("admin:databases_tenant_change", args=[self.tenant.pk])
        self.list = reverse("admin:databases_tenant_changelist")

    def act(self, action: str, *tenants: Tenant, **values: str) -> list[str]:
        """Return the messages after an action."""
        chosen = {"_selected_action": [tenant.pk for tenant in tenants], "action": action, **values}
        response = self.client.post(self.list, chosen, follow=True)
        return [str(message) for message in response.context["messages"]]

    def test_a_tenants_host_is_changed_there_and_nothing_else_is(self):
        self.client.post(
            self.page,
            {"slug": "glados", "server": "gone", "database": "other", "status": "pending", "host": "aperture"},
        )
        self.assertEqual(
            Tenant.objects.values_list("slug", "server", "database", "status", "host").get(pk=self.tenant.pk),
            ("chell", "default", "tenant_chell", "active", "aperture"),
        )

    def test_a_host_that_is_taken_is_refused_at_the_field(self):
        response = self.client.post(self.page, {"host": "horza"})
        self.assertContains(response, "is that of the tenant")
        self.assertEqual(Tenant.objects.get(pk=self.tenant.pk).host, "chell")

    def test_users_and_passwords_are_not_shown(self):
        for page in (self.page, self.list):
            text = self.client.get(page).content.decode()
            self.assertNotIn("hunter2", text)
            self.assertNotIn("user_of_chell", text)

    def test_tenants_are_suspended_and_resumed_and_each_is_told_of(self):
        told = self.act("suspend", self.tenant, self.other)
        self.assertEqual(told[0], "chell: done")
        self.assertIn("horza: Cannot suspend 'horza', which is pending", told[1])
        self.assertEqual(Tenant.objects.get(slug="chell").status, "suspended")
        self.assertEqual(self.act("resume", self.tenant), ["chell: done"])
        self.assertEqual(Tenant.objects.get(slug="chell").status, "active")

    def test_who_may_only_look_does_not_act(self):
        ann = User.objects.create_user("bob", is_staff=True)
        self.client.force_login(ann)
        self.assertEqual(self.client.post(self.list, {"action": "suspend"}).status_code, 403)

    def test_a_tenant_is_neither_added_nor_deleted_there(self):
        for page in (
            reverse("admin:databases_tenant_add"),
            reverse("admin:databases_tenant_delete", args=[self.tenant.pk]),
        ):
            with self.subTest(page):
                self.assertEqual(self.client.post(page, {"post": "yes"}).status_code, 403)
        self.assertEqual(Tenant.objects.count(), 2)
