"""The user model of the project, in the admin and at the login."""

from django.contrib.auth import authenticate, get_user_model
from django.test import TestCase
from django.urls import reverse

User = get_user_model()


class UserTests(TestCase):
    def test_this_project_has_a_user_model_of_its_own(self):
        self.assertEqual(User._meta.label, "users.User")

    def test_a_deactivated_user_cannot_log_in(self):
        user = User.objects.create_user("chell", password="a password")
        self.assertEqual(authenticate(username="chell", password="a password"), user)
        user.is_active = False
        user.save()
        self.assertIsNone(authenticate(username="chell", password="a password"))

    def test_a_superuser_adds_a_user_in_the_admin(self):
        self.client.force_login(User.objects.create_superuser("admin"))
        phrase = "cake in the next room"
        user = {"username": "chell", "password1": phrase, "password2": phrase, "usable_password": "true"}
        self.client.post(reverse("admin:users_user_add"), user)
        self.assertTrue(User.objects.get(username="chell").check_password(phrase))
