"""The user of this project. Refer to it by `get_user_model()`, and by `settings.AUTH_USER_MODEL` in foreign keys."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A user, as Django's own. Add fields here: a project cannot change its user model later without great effort."""
