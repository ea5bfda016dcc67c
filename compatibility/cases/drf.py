"""Django REST framework, with its tokens."""

from rest_framework import routers, serializers, viewsets
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAuthenticated

from compatibility.support import *
from databases.tenants.members import is_member

PACKAGES = ["djangorestframework"]
SETTINGS = """
INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken"]
READ_FROM_PRIMARY += ["authtoken"]
"""
VERDICTS = {
    "primary": "works",
    "secondary": "works: `authtoken` stays in the primary",
    "mirror": "works with `ReadOnlyModelViewSet`",
    "replicas": 'works with `READ_FROM_PRIMARY = ["authtoken"]`; otherwise a revoked token is valid while a replica '
    "lags",
    "tenants": "works with a `TokenAuthentication` whose `authenticate_credentials()` refuses users without "
    "`databases.tenants.members.is_member(user)`",
}


class MemberToken(TokenAuthentication):
    def authenticate_credentials(self, key):
        user, token = super().authenticate_credentials(key)
        if not is_member(user):
            raise AuthenticationFailed("This user is no member here.")
        return user, token


def view_of(of, base=viewsets.ModelViewSet, authentication=MemberToken):
    class Serializer(serializers.ModelSerializer):
        class Meta:
            model = of
            fields = "__all__"

    class View(base):
        queryset = of.objects.order_by("pk")
        serializer_class = Serializer
        authentication_classes = (authentication,)
        permission_classes = (IsAuthenticated,)

    return View


router = routers.SimpleRouter()
router.register("notes", view_of(Note), "note")
router.register("events", view_of(Event), "event")
router.register("members", view_of(Member, viewsets.ReadOnlyModelViewSet), "member")
router.register("points", view_of(DataPoint), "point")
router.register("any/points", view_of(DataPoint, authentication=TokenAuthentication), "any-point")
urlpatterns = [path("", include(router.urls))]


class Client:
    """Logs in by a token, and changes rows by the four methods."""

    def log_in(self, **fields):
        self.token = Token.objects.create(user=make_user(**fields))
        self.client.defaults["HTTP_AUTHORIZATION"] = f"Token {self.token.key}"

    def change(self, url, fields, changed):
        made = self.client.post(url, fields, "application/json").json()
        self.client.patch(f"{url}{made['id']}/", changed, "application/json")
        self.assertLessEqual(changed.items(), self.client.get(f"{url}{made['id']}/").json().items())
        self.assertEqual(len(self.client.get(url).json()), 1)
        self.assertEqual(self.client.delete(f"{url}{made['id']}/").status_code, 204)
        self.assertEqual(self.client.get(url).json(), [])


class Primary(Client, TestCase):
    def test_rows_are_changed_by_a_token(self):
        self.log_in()
        self.change("/notes/", {"text": "first"}, {"text": "second"})

    def test_no_rows_without_a_token(self):
        self.assertEqual(self.client.get("/notes/").status_code, 401)


class Secondary(Client, TestCase):
    def test_rows_are_changed(self):
        self.log_in()
        with served() as statements:
            self.change("/events/", {"action": "added", "note_id": 1}, {"action": "changed"})
        self.assertEqual(statements.aliases("events_event"), {"secondary"})

    def test_tokens_point_at_users(self):
        self.assertIn("databases.E004", complaint("APP_DATABASES['authtoken'] = 'secondary'"))


class Mirror(Client, TestCase):
    def test_rows_are_read_only(self):
        self.log_in()
        with production_mirror():
            self.assertTrue(self.client.get("/members/").json())
            self.assertEqual(self.client.post("/members/", {}).status_code, 405)


class Replicas(Client, TransactionTestCase):
    def test_rows_are_read_from_a_replica_and_tokens_from_the_primary(self):
        self.log_in()
        with served() as statements:
            self.client.get("/notes/")
        self.assertEqual(statements.aliases("notes_note"), {"replica"})
        self.assertEqual(statements.aliases("authtoken_token"), {"default"})
        with served() as statements:
            self.client.post("/notes/", {"text": "first"})
            self.client.get("/notes/")
        self.assertEqual(statements.aliases("notes_note"), {"default"})

    def test_otherwise_tokens_are_read_from_a_replica(self):
        self.log_in()
        with override_settings(READ_FROM_PRIMARY=[]), served() as statements:
            self.client.get("/notes/")
        self.assertEqual(statements.aliases("authtoken_token"), {"replica"})


class Tenants(Client, TenantTestCase):
    def test_a_token_is_valid_where_its_user_is_a_member(self):
        self.log_in(member_of=(LABS,))
        with use_tenant(LABS):
            self.change("/points/", {"name": "cake", "value": 1}, {"value": 2})
        with use_tenant(CAMPUS):
            self.assertEqual(self.client.get("/points/").status_code, 401)

    def test_the_package_s_own_class_lets_every_user_in(self):
        self.log_in(member_of=(LABS,))
        with use_tenant(CAMPUS):
            self.assertEqual(self.client.get("/any/points/").status_code, 200)
