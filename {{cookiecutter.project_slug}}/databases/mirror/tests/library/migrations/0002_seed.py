"""Seeds the rows that the mirror's tests read, without the project's `seeds`."""

from pathlib import Path
from typing import Any

from django.db import migrations

from databases.foreign.seeding import load_fixture

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "layer_mirror.json"


def seed(apps: Any, schema_editor: Any) -> None:
    load_fixture(FIXTURE, apps, schema_editor.connection.alias)


class Migration(migrations.Migration):
    dependencies = [("layer_library", "0001_initial"), ("layer_people", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
