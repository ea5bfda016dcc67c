"""django-allauth: sign-up, confirmation of an address, login."""

import re

from django.core import mail

from compatibility.support import *
from databases.tenants.models import Membership

PACKAGES = ["django-allauth"]
SETTINGS = """
INSTALLED_APPS += ["allauth", "allauth.account"]
MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS += ["users.backends.Allauth"]
READ_FROM_PRIMARY += ["account"]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_RATE_LIMITS = False
"""
FILES = {
    "users/backends.py": """
from allauth.account.auth_backends import AuthenticationBackend
from databases.tenants.members import MembersOnly

class Allauth(MembersOnly, AuthenticationBackend):
    pass
""",
    "users/models.py": """
from allauth.account.signals import user_signed_up
from django.dispatch import receiver

@receiver(user_signed_up)
def join(request, user, **kwargs):
    from databases.tenants.models import Membership, Tenant

    if request.tenant:
        Membership.objects.create(user=user, tenant=Tenant.objects.get(slug=request.tenant.slug))
""",
}
VERDICTS = {
    "primary": "works",
    "secondary": "does not: its tables point at users (databases.E004)",
    "mirror": "—",
    "replicas": 'works with `READ_FROM_PRIMARY = ["account"]` if `ACCOUNT_CONFIRM_EMAIL_ON_GET` is on',
    "tenants": "works with `class Allauth(MembersOnly, AuthenticationBackend)` in `AUTHENTICATION_BACKENDS`, and a "
    "receiver of `user_signed_up` that creates the `Membership`",
}
urlpatterns = [path("accounts/", include("allauth.urls"))]
ANN = {"email": "ann@example.com", "password1": "portal-gun-42", "password2": "portal-gun-42"}


class Visitor:
    """Does what a visitor does in a browser."""

    def sign_up(self):
        self.assertEqual(self.client.get("/accounts/signup/").status_code, 200)
        self.assertRedirects(self.client.post("/accounts/signup/", ANN), "/accounts/confirm-email/")
        (message,) = mail.outbox
        return re.search(r"http://([^/\s]+)(/accounts/confirm-email/\S+)", message.body).groups()

    def log_in(self):
        words = {"login": ANN["email"], "password": ANN["password1"]}
        self.client.post("/accounts/login/", words)
        return "_auth_user_id" in self.client.session and self.client.get("/accounts/email/").status_code == 200


@override_settings(LOGIN_REDIRECT_URL="/accounts/email/")
class Primary(Visitor, TransactionTestCase):
    def test_a_visitor_signs_up_confirms_and_logs_in(self):
        _, url = self.sign_up()
        self.assertFalse(self.log_in())
        self.assertContains(self.client.get(url), ANN["email"])
        self.assertEqual(self.client.post(url).status_code, 302)
        self.client.post("/accounts/logout/")
        self.assertTrue(self.log_in())


class Secondary(SimpleTestCase):
    def test_its_tables_point_at_users(self):
        self.assertIn("databases.E004", complaint("APP_DATABASES['account'] = 'secondary'"))


class Replicas(Primary):
    @override_settings(ACCOUNT_CONFIRM_EMAIL_ON_GET=True)
    def test_an_address_is_confirmed_by_a_get(self):
        _, url = self.sign_up()
        with served() as statements:
            self.assertEqual(self.client_class().get(url).status_code, 302)
        self.assertEqual(statements.aliases("account_emailaddress"), {"default"})
        self.assertTrue(self.log_in())

    @override_settings(ACCOUNT_CONFIRM_EMAIL_ON_GET=True, READ_FROM_PRIMARY=[])
    def test_otherwise_an_address_is_not_confirmed_by_a_get(self):
        _, url = self.sign_up()
        with self.assertRaises(StaleInstanceError):
            self.client_class().get(url)


@override_settings(LOGIN_REDIRECT_URL="/accounts/email/")
class Tenants(Visitor, TenantTransactionTestCase):
    def test_who_signs_up_at_a_host_is_a_member_there_only(self):
        with use_tenant(LABS):
            host, url = self.sign_up()
            self.assertEqual(host, f"{LABS}.testserver")
            self.client.post(url)
            self.assertTrue(self.log_in())
        self.assertEqual(Membership.objects.get().tenant.slug, LABS)
        with use_tenant(CAMPUS):
            self.assertRedirects(self.client.get("/accounts/email/"), "/accounts/login/?next=/accounts/email/")
            self.assertFalse(self.log_in())
