"""The pytest half of the refusal: pytest-django does not read `TEST_RUNNER`, so this plugin does."""

import pytest
from django.conf import settings

from .runner import HOW


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Raise pytest's `UsageError` where the settings are not those of the tests."""
    if settings.TEST_RUNNER == "databases.testing.runner.RefusingRunner":
        raise pytest.UsageError(HOW)
