"""Users log in at the hosts of the tenants that they are members of, and nowhere else."""

from __future__ import annotations

from unittest import mock

from django.contrib.auth import aauthenticate, authenticate, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest, HttpResponse
from django.test import TestCase, override_settings
from django.urls import path, reverse

from databases.tenants import use_tenant
from databases.tenants.members import MembersOnly
from databases.tenants.models import Domain, Membership, Tenant
from databases.tenants.sites import membership_of
from databases.tenants.testing import TenantTestCase
from databases.tenants.tests.site import make_superuser, own_site
from databases.tenants.tests.site import urlpatterns as site_urls
from databases.tenants.tests.two_tenants import FIRST, SECOND


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user.pk))


async def async_who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str((await request.auser()).pk))


urlpatterns = [*site_urls, path("who/", who), path("async-who/", async_who)]


class OwnBackend(MembersOnly, ModelBackend):
    """A backend of the project's own."""


@override_settings(ROOT_URLCONF=__name__)
@own_site
class MembershipTests(TenantTestCase):
    tenants = (FIRST, SECOND)

    def setUp(self):
        super().setUp()
        self.user = make_superuser()
        self.user.set_password("correct horse")
        self.user.save()
        Membership.objects.exclude(tenant__slug=FIRST).delete()
        self.credentials = {"username": self.user.get_username(), "password": "correct horse"}

    def test_a_password_is_accepted_where_the_user_is_a_member(self):
        for slug, user in ((FIRST, self.user), (SECOND, None)):
            with self.subTest(slug), use_tenant(slug):
                self.assertEqual(authenticate(HttpRequest(), **self.credentials), user)
        self.assertEqual(authenticate(HttpRequest(), **self.credentials), self.user)

    async def test_the_same_in_async_code(self):
        for slug, user in ((FIRST, self.user), (SECOND, None)):
            async with use_tenant(slug):
                self.assertEqual(await aauthenticate(HttpRequest(), **self.credentials), user)

    def test_a_session_of_a_user_who_is_no_member_is_anonymous(self):
        for page in ("/who/", "/async-who/"):
            for slug, expected in ((FIRST, str(self.user.pk)), (SECOND, "None")):
                with self.subTest(page=page, slug=slug), use_tenant(slug):
                    self.client.force_login(self.user)
                    self.assertEqual(self.client.get(page).content.decode(), expected)

    def test_who_is_no_member_any_more_is_anonymous_at_once(self):
        with use_tenant(FIRST):
            self.client.force_login(self.user)
            Membership.objects.all().delete()
            self.assertEqual(self.client.get("/who/").content.decode(), "None")

    def test_memberships_are_read_from_the_primary(self):
        # On a replica that lags, a user who was removed would still be a member.
        reads = mock.patch.object(router, "db_for_read", side_effect=AssertionError("a router is asked"))
        with use_tenant(FIRST), reads:
            self.assertIsNotNone(membership_of(self.user))

    @override_settings(AUTHENTICATION_BACKENDS=[f"{__name__}.OwnBackend"])
    def test_a_backend_of_ones_own_follows_the_same_rule(self):
        with use_tenant(SECOND):
            self.assertIsNone(authenticate(HttpRequest(), **self.credentials))

    def test_an_inactive_member_is_refused(self):
        get_user_model()._default_manager.update(is_active=False)
        with use_tenant(FIRST):
            self.assertIsNone(authenticate(HttpRequest(), **self.credentials))

    def test_the_role_of_a_member_is_for_rules_of_the_project(self):
        Membership.objects.update(role="owner")
        with use_tenant(FIRST):
            self.assertEqual(membership_of(self.user).role, "owner")
        with use_tenant(SECOND):
            self.assertIsNone(membership_of(self.user))

    def test_a_user_is_a_member_once(self):
        first = Tenant.objects.get(slug=FIRST)
        with self.assertRaises(IntegrityError), transaction.atomic():
            Membership.objects.create(user=self.user, tenant=first)

    def test_the_registrys_admin_is_on_the_central_host_only(self):
        pages = [reverse(f"admin:tenants_{model}_changelist") for model in ("tenant", "domain", "membership")]
        pages += [reverse("admin:tenants_domain_add"), reverse("admin:tenants_membership_add")]
        pages += [reverse("admin:tenants_membership_delete", args=[Membership.objects.first().pk])]
        pages += [reverse("admin:tenants_tenant_change", args=[Tenant.objects.first().pk])]
        for login in (None, FIRST):
            with self.subTest(login):
                if login is None:
                    self.client.force_login(self.user)
                    self.assertEqual({self.client.get(page).status_code for page in pages}, {200})
                else:
                    with use_tenant(login):
                        self.client.force_login(self.user)
                        self.assertEqual({self.client.get(page).status_code for page in pages}, {403})
                        self.assertNotContains(self.client.get("/admin/"), "Membership")


class DomainTests(TestCase):
    def test_a_domain_inside_of_the_sites_own_is_refused(self):
        tenant = Tenant.objects.create(slug="acme", database="acme")
        for name, valid in (
            ("shop.example.com", True),
            ("xtestserver.com", True),
            ("acme.testserver", False),
            ("testserver", False),
            ("Shop.example.com", False),
            ("shop.example.com.", False),
            ("shop.example.com:80", False),
            ("shop..example.com", False),
            ("10.0.0.1", False),
            ("a" * 64 + ".example.com", False),
        ):
            with self.subTest(name):
                try:
                    Domain(name=name, tenant=tenant).full_clean()
                except Exception as error:
                    self.assertFalse(valid, error)
                else:
                    self.assertTrue(valid)
