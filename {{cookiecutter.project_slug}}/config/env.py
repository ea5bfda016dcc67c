"""Reads the environment of the process, and the file `.env` for what the environment lacks."""

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from databases.environment import matching

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")


def is_on(name: str, value: str) -> bool:
    """Return whether the value of a variable is on. Raises `ImproperlyConfigured` if it is neither on nor off."""
    return matching(name, value, "on|off|true|false|yes|no|1|0", "on or off").lower() in {"on", "true", "yes", "1"}


DEBUG = is_on("DEBUG", env.str("DEBUG", default="off"))


def email_url() -> dict[str, Any]:
    """Return Django's settings for mail by `EMAIL_URL`; without it, mail goes to this machine's server.

    Raises `ImproperlyConfigured`. Its message leaves the URL out, because that holds a password.
    """
    try:
        found: dict[str, Any] = env.email_url("EMAIL_URL", default="smtp://localhost:25")
    except (ValueError, ImproperlyConfigured):
        raise ImproperlyConfigured(
            "EMAIL_URL must be a URL such as smtp+tls://user:password@mail.example.com:587, with special characters "
            "percent-encoded."
        ) from None
    return found
# % if cookiecutter.django_version != "5.2"


def mailer() -> dict[str, Any]:
    """Return the entry of `MAILERS` for `EMAIL_URL`. Raises `ImproperlyConfigured`."""
    found = email_url()
    names = {"host": "HOST", "port": "PORT", "username": "HOST_USER", "password": "HOST_PASSWORD"}
    names |= {"use_tls": "USE_TLS", "use_ssl": "USE_SSL"}
    options = {option: found[f"EMAIL_{name}"] for option, name in names.items() if found.get(f"EMAIL_{name}")}
    # Backends that send nothing take no options.
    return {"BACKEND": found["EMAIL_BACKEND"], "OPTIONS": {**options, "timeout": 10} if options else {}}
# % endif
