"""Tenants in the admin: the host is changed there, and actions suspend and resume. Nothing else changes."""

from __future__ import annotations

from unittest import mock

from django.contrib.auth import get_user_model
from django.test import TestCase
from django.urls import reverse

from databases.tenants.admin import TenantForm
from databases.tenants.models import Tenant
from databases.tenants.tests.site import make_superuser, own_site


@own_site
class AdminTests(TestCase):
    def setUp(self):
        self.tenant = Tenant.objects.create(slug="chell", database="tenant_chell", status="active")
        self.other = Tenant.objects.create(slug="horza", database="tenant_horza")
        self.client.force_login(make_superuser())
        self.page = reverse("admin:tenants_tenant_change", args=[self.tenant.pk])
        self.list = reverse("admin:tenants_tenant_changelist")

    def act(self, action: str, *tenants: Tenant) -> list[str]:
        """Return the messages after an action."""
        chosen = {"_selected_action": [tenant.pk for tenant in tenants], "action": action}
        response = self.client.post(self.list, chosen, follow=True)
        return [str(message) for message in response.context["messages"]]

    def test_the_form_changes_the_host_only(self):
        self.client.post(
            self.page,
            {"slug": "glados", "server": "gone", "database": "other", "status": "pending", "host": "aperture"},
        )
        self.assertEqual(
            Tenant.objects.values_list("slug", "server", "database", "status", "host").get(pk=self.tenant.pk),
            ("chell", "default", "tenant_chell", "active", "aperture"),
        )

    def test_the_form_does_not_undo_what_happened_meanwhile(self):
        def suspend(slug: str, host: str) -> None:
            # As another process does, after the form has read its row.
            Tenant.objects.filter(slug=slug).update(status="suspended", database="moved")

        with mock.patch("databases.tenants.admin.refuse_host", side_effect=suspend):
            self.assertEqual(self.client.post(self.page, {"host": "aperture"}).status_code, 302)
        row = Tenant.objects.get(pk=self.tenant.pk)
        self.assertEqual((row.host, row.status, row.database), ("aperture", "suspended", "moved"))

    def test_a_host_that_is_taken_is_refused_at_the_field(self):
        response = self.client.post(self.page, {"host": "horza"})
        self.assertContains(response, "is that of the tenant")
        self.assertEqual(Tenant.objects.get(pk=self.tenant.pk).host, "chell")

    def test_validation_writes_nothing(self):
        form = TenantForm({"host": "aperture"}, instance=self.tenant)
        self.assertTrue(form.is_valid(), form.errors)
        self.assertEqual(Tenant.objects.get(pk=self.tenant.pk).host, "chell")

    def test_actions_report_on_each_tenant(self):
        told = self.act("suspend", self.tenant, self.other)
        self.assertEqual(told[0], "chell: done")
        self.assertIn("horza: Cannot suspend 'horza', which is pending", told[1])
        self.assertEqual(Tenant.objects.get(slug="chell").status, "suspended")
        self.assertEqual(self.act("resume", self.tenant), ["chell: done"])
        self.assertEqual(Tenant.objects.get(slug="chell").status, "active")

    def test_suspend_and_resume_are_the_only_actions(self):
        choices = self.client.get(self.list).context["action_form"].fields["action"].choices
        self.assertEqual({name for name, _ in choices if name}, {"suspend", "resume"})

    def test_actions_need_the_change_permission(self):
        viewer = get_user_model()._default_manager.get()
        viewer.is_superuser = False
        viewer.save()
        self.client.force_login(viewer)
        self.assertEqual(self.client.post(self.list, {"action": "suspend"}).status_code, 403)

    def test_adding_and_deleting_are_refused(self):
        for page in (
            reverse("admin:tenants_tenant_add"),
            reverse("admin:tenants_tenant_delete", args=[self.tenant.pk]),
        ):
            with self.subTest(page):
                self.assertEqual(self.client.post(page, {"post": "yes"}).status_code, 403)
        self.assertEqual(Tenant.objects.count(), 2)
