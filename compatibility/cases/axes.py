"""django-axes counts failed logins, and locks out who has too many."""

from compatibility.support import *

PACKAGES = ["django-axes"]
SETTINGS = """
INSTALLED_APPS += ["axes"]
MIDDLEWARE += ["axes.middleware.AxesMiddleware"]
AUTHENTICATION_BACKENDS = ["users.backends.Axes", *AUTHENTICATION_BACKENDS]
AXES_FAILURE_LIMIT = 3
"""
FILES = {
    "users/backends.py": """
from axes.backends import AxesStandaloneBackend
from databases.tenants.members import MembersOnly

class Axes(MembersOnly, AxesStandaloneBackend):
    pass
"""
}
IN_SECONDARY = ["axes"]
VERDICTS = {
    "primary": "works",
    "secondary": 'works with `APP_DATABASES["axes"] = "secondary"`',
    "mirror": "—",
    "replicas": "works",
    "tenants": "works with `class Axes(MembersOnly, AxesStandaloneBackend)` first in `AUTHENTICATION_BACKENDS`; "
    "failures at all hosts count together",
}
urlpatterns = [path("admin/", admin.site.urls)]


def log_in(client, password):
    return client.post("/admin/login/", {"username": "chell", "password": password})


class Primary(TransactionTestCase):
    home = "default"

    def test_failures_lock_a_user_out(self):
        make_user(is_staff=True)
        with served() as statements:
            self.assertEqual(log_in(self.client, "wrong").status_code, 200)
            self.assertEqual(log_in(self.client, "wrong").status_code, 200)
            self.assertEqual(log_in(self.client, "wrong").status_code, 429)
            self.assertEqual(log_in(self.client, "cake").status_code, 429)
        self.assertEqual(statements.aliases("axes_accessattempt"), {self.home})

    def test_a_login_is_logged(self):
        make_user(is_staff=True)
        with served() as statements:
            self.assertEqual(log_in(self.client, "cake").status_code, 302)
        self.assertEqual(statements.aliases('INTO "axes_accesslog"'), {self.home})


class Secondary(Primary):
    home = "secondary"


class Replicas(Primary):
    pass


class Tenants(TenantTestCase):
    def test_the_package_s_own_backend_is_refused(self):
        line = "AUTHENTICATION_BACKENDS = ['axes.backends.AxesStandaloneBackend', *AUTHENTICATION_BACKENDS]"
        self.assertIn("databases.E020", complaint(line))

    def test_its_models_cannot_live_in_tenants(self):
        self.assertIn("databases.E002", complaint("APP_DATABASES['axes'] = 'tenant'"))

    def test_failures_at_one_host_count_at_all(self):
        make_user(is_staff=True, member_of=(LABS, CAMPUS))
        with use_tenant(LABS):
            self.assertEqual([log_in(self.client, "wrong").status_code for _ in range(3)], [200, 200, 429])
        with use_tenant(CAMPUS):
            self.assertEqual(log_in(self.client_class(), "cake").status_code, 429)

    def test_only_members_log_in(self):
        make_user(is_staff=True, member_of=(LABS,))
        with use_tenant(LABS):
            self.assertEqual(log_in(self.client, "cake").status_code, 302)
        with use_tenant(CAMPUS):
            self.assertEqual(log_in(self.client, "cake").status_code, 200)
