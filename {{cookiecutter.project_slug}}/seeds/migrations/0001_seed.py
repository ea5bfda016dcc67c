"""Seeds the test databases of foreign roles, after the last migration of every app that has rows in a fixture."""

from typing import Any

from django.db import migrations

from databases.foreign.fixtures import all_seeded_apps
from databases.foreign.seeding import load_seed
from seeds import FIXTURES


def seed(apps: Any, schema_editor: Any) -> None:
    load_seed(FIXTURES, apps, schema_editor.connection.alias)


class Migration(migrations.Migration):
    # `__latest__` follows the seeded apps. To keep a fixture as it is although a model changes, name the migration that
    # it was made for instead, such as ("catalogue", "0001_initial"), and the next one in
    # `run_before = [("catalogue", "0002_later")]`: later migrations then migrate its rows.
    dependencies = [(label, "__latest__") for label in all_seeded_apps(FIXTURES)]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
