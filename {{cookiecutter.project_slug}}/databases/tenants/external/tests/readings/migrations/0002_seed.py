"""Seeds the rows that tests of external tenants read, apart from the project's `seeds`."""

from pathlib import Path
from typing import Any

from django.db import migrations

from databases.foreign.seeding import load_fixture

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "layer_tenant.json"


def seed(apps: Any, schema_editor: Any) -> None:
    load_fixture(FIXTURE, apps, schema_editor.connection.alias)


class Migration(migrations.Migration):
    dependencies = [("layer_readings", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
