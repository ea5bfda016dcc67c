"""Seeds the external test databases, after the last migration of every app that it has rows for."""

from typing import Any

from django.db import migrations

from databases.roles import role_of_alias
from databases.testing.mode import is_test_database
from databases.testing.seeding import load_fixture
from seeds import FIXTURES, roles, seeded_apps


def seed(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    if not is_test_database(alias):
        # An error, not a return: a migration that returns is recorded as applied.
        raise RuntimeError(f"Seeds are for test databases, and {alias!r} is none.")
    load_fixture(FIXTURES / f"{role_of_alias(alias)}.json", apps, alias)


class Migration(migrations.Migration):
    # `__latest__` follows the seeded apps. When a fixture is to stay as it is although a model changes, name the
    # migration that it was made for instead, such as ("accounts", "0001_initial"), and the one after it in
    # `run_before = [("accounts", "0002_later")]`; later migrations then carry its rows on.
    dependencies = [(label, "__latest__") for role in sorted(roles()) for label in seeded_apps(role)]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
