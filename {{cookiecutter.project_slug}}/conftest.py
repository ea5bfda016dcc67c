"""What pytest does before test databases are made; for `manage.py test`, `TEST_RUNNER` does it."""

import pytest

from databases.testing import cloning


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Copy test databases of tenants; in place of pytest-django's fixture of this name, which is there for that."""
    cloning.install()
