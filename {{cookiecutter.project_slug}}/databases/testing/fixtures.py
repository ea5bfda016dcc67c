"""Fixtures that replace those of pytest-django."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test.utils import get_runner

from databases.testing import templates


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    """Make test databases from templates if `TEST_RUNNER` does, as under `manage.py test`."""
    if not issubclass(get_runner(settings), templates.TemplateRunner):
        yield
        return
    run = templates.install()
    yield
    run.end()
