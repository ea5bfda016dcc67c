"""A model split off into a file that `models.py` does not import stops everything, with its file and its name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import settings, variants
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.variants import Variant

Environments = Callable[[str], Environment]

COMMANDS = {
    "check": ("python", "manage.py", "check"),
    "migrate": ("python", "manage.py", "migrate"),
    "makemigrations": ("python", "manage.py", "makemigrations", "--check", "--dry-run"),
    "manage.py test": ("python", "manage.py", "test"),
    "pytest": ("python", "-m", "pytest", "-x"),
}


def split(project: Bake) -> None:
    """Move the model as one would who then forgets the import in `models.py`."""
    text = project.read("projects/models.py")
    assert "class DataPoint(TenantModel):" in text
    project.write("projects/data_points.py", text)
    project.write("projects/models.py", '"""The models moved; see data_points.py."""\n')
    for file in project.files:
        if file.endswith(".py") and "models import DataPoint" in project.read(file):
            project.write(file, project.read(file).replace("models import DataPoint", "data_points import DataPoint"))


@pytest.mark.parametrize("tenants", ["managed", "external"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_model_in_a_file_that_nobody_imports_stops(
    bake: Baker, environment: Environments, tenants: str, command: str
) -> None:
    variant: Variant = variants.select(primary_database="sqlite", secondary_database="none", tenant_databases=tenants)[
        0
    ]
    project = bake(**variant)
    tools = environment(variant["django_version"])
    run = {"SECRET_KEY": settings.SECRET_KEY, "DEBUG": "on"}
    assert "projects/data_points.py" not in project.run(tools, *COMMANDS["check"], env=run)

    split(project)
    output = project.run(tools, *COMMANDS[command], env=run, code=None)
    assert project.run(tools, *COMMANDS["check"], env=run, code=1)
    assert "projects/data_points.py" in output
    assert "DataPoint" in output
    assert " passed" not in output
    assert not [path for path in Path(project.path).glob("*.sqlite3") if b"CREATE TABLE" in path.read_bytes()]
