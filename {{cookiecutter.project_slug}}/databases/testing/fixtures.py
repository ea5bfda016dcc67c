"""Fixtures that replace those of pytest-django."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test.utils import get_runner


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Let the runner in `TEST_RUNNER` prepare test databases, as it does under `manage.py test`."""
    prepare = getattr(get_runner(settings), "prepare", None)
    if prepare is not None:
        prepare()
