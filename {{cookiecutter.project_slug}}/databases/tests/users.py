"""Users of whatever model the project has."""

from typing import Any

from django.contrib.auth import get_user_model


def make_superuser() -> Any:
    """Return a new superuser."""
    model: Any = get_user_model()
    fields = (model.USERNAME_FIELD, *model.REQUIRED_FIELDS)
    return model._default_manager.create_superuser(**dict.fromkeys(fields, "ann@example.com"), password=None)
