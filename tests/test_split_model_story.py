"""A model in a file that `models.py` does not import stops every command, which names the file and the class."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import settings, variants
from tests.support.bakes import Bake
from tests.support.environments import Environment

COMMANDS = (
    ("python", "manage.py", "check"),
    ("python", "manage.py", "migrate"),
    ("python", "manage.py", "makemigrations", "--check", "--dry-run"),
    ("python", "manage.py", "test"),
    ("python", "-m", "pytest", "-x"),
)


def split(project: Bake) -> None:
    """Move the model into another file, and forget the import in `models.py`."""
    text = project.read("projects/models.py")
    assert "class DataPoint(TenantModel):" in text
    project.write("projects/data_points.py", text)
    project.write("projects/models.py", '"""The models moved; see data_points.py."""\n')
    for file in project.files:
        if file.endswith(".py") and "models import DataPoint" in project.read(file):
            project.write(file, project.read(file).replace("models import DataPoint", "data_points import DataPoint"))


@pytest.mark.parametrize("tenants", ["managed", "external"])
def test_a_model_that_is_not_imported_stops_every_command(
    bake: Baker, environment: Callable[[str], Environment], tenants: str
) -> None:
    (variant, *_) = variants.select(primary_database="sqlite", secondary_database="none", tenant_databases=tenants)
    project = bake(**variant)
    tools = environment(variant["django_version"])
    run = {"SECRET_KEY": settings.SECRET_KEY, "DEBUG": "on"}
    assert "no issues" in project.run(tools, *COMMANDS[0], env=run)

    split(project)
    for command in COMMANDS:
        output = project.run(tools, *command, env=run, code=None)
        assert "projects/data_points.py" in output, command
        assert "DataPoint" in output, command
        assert " passed" not in output, command
    assert project.run(tools, *COMMANDS[0], env=run, code=1)
    assert not [path for path in Path(project.path).glob("*.sqlite3") if b"CREATE TABLE" in path.read_bytes()]
