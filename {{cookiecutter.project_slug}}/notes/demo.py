"""The demo of the primary: a superuser and two notes. The module `demo` of other example apps adds their part."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.crypto import salted_hmac
from django.utils.module_loading import module_has_submodule

from .models import Note

USER = "demo"
TEXTS = ("make remove-examples removes the example apps", "Written to the project's own database")


def password() -> str:
    """Return the password of the demo user.

    It is made of SECRET_KEY, so a copy of the database elsewhere does not let everybody in.
    """
    return salted_hmac("notes.demo", USER).hexdigest()[:12]


def login() -> str:
    """Return how to log in to the admin."""
    user = get_user_model().objects.filter(username=USER).first()
    if settings.DEBUG and user and user.check_password(password()):
        return f"the admin: user {USER}, password {password()}"
    return "the admin: `manage.py createsuperuser` makes a user"


def links(port: int) -> dict[str, str]:
    """Return addresses to open, each with what it shows."""
    site = f"localhost:{port}"
    databases = {f"{site}/databases/": "the databases, and who reads and writes them"}
    return {f"{site}/": "the start page", **databases, f"{site}/admin/": login()}


def build() -> str:
    """Make the user and the notes that are missing, and set the password of the user."""
    users = get_user_model().objects
    user = users.filter(username=USER).first()
    if user is None:
        users.create_superuser(USER, password=password())
    elif not user.check_password(password()):
        # SECRET_KEY has changed.
        user.set_password(password())
        user.save()
    for text in TEXTS:
        if not Note.objects.filter(text=text).exists():
            Note.objects.create(text=text)
    return f"default: {len(TEXTS)} notes, and a user for {login()}"


def parts() -> Iterator[Any]:
    """Yield the modules of the demo. Each has `build()`, which returns what it made, and perhaps `links(port)`."""
    for config in apps.get_app_configs():
        if getattr(config, "is_example", False) and module_has_submodule(config.module, "demo"):
            yield import_module(f"{config.name}.demo")
