"""A pytest plugin: it applies `TEST_RUNNER`, which pytest-django does not read, and leaves out the layer's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from databases.testing.runner import HOW


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that `make test` gives."""
    parser.addoption("--layer", action="store_true", help="run the tests of databases/ too")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Raise pytest's `UsageError` unless `settings_test.py` holds the settings."""
    if settings.TEST_RUNNER == "databases.testing.runner.RefusingRunner":
        raise pytest.UsageError(HOW)
    from databases.testing import fixtures

    # Registered now, after pytest-django, so that pytest prefers this fixture.
    config.pluginmanager.register(fixtures)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the layer's own tests out of a plain `pytest`. pytest does not ask about paths of its command line."""
    is_left_out = collection_path == config.rootpath / "databases" and not config.getoption("layer")
    # pytest's default pattern `*_test.py` matches it.
    return True if is_left_out or collection_path.name.endswith("settings_test.py") else None
