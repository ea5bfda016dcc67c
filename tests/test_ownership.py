"""The table of owned paths in `cookiecutter.json`, and the answers that own no path."""

import pytest

from tests.conftest import Baker
from tests.support import variants
from tests.support.template import COOKIECUTTER_JSON, EMITTED, OWNED_PATHS
from tests.support.variants import CHOICES, Variant

NAMES = {
    "project_name": ("Another Name", {"README.md", "config/settings.py", "pyproject.toml"}),
    "project_slug": (
        "another_slug",
        {
            *("Dockerfile", "compose.yaml", "config/databases.py", "pyproject.toml"),
            *("deploy/README.md", "deploy/grants.sql"),
        },
    ),
}


def changed(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """Return the paths at which two trees differ."""
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


@variants.each(django_version="5.2")
def test_the_version_of_django_changes_five_files_and_adds_its_tasks(baked: Baker, variant: Variant) -> None:
    other = baked(**{**variant, "django_version": "6.1"})
    tasks = {path for path, variable in OWNED_PATHS.items() if variable == "__tasks" and other.answers["__tasks"]}
    files = {".template.json", "Makefile", "README.md", "pyproject.toml", "config/env.py", "config/settings.py"}
    if tasks:
        files.add("databases/tenants/README.md")
    assert changed(baked(**variant).digests(), other.digests()) == {*files, *tasks}


@pytest.mark.parametrize(("key", "other", "files"), [(key, *row) for key, row in NAMES.items()], ids=NAMES)
def test_a_name_changes_only_the_files_that_hold_it(baked: Baker, key: str, other: str, files: set[str]) -> None:
    found = set()
    for engine in CHOICES["primary_database"]:
        usual = {"primary_database": engine, "project_name": "A Name", "project_slug": "a_slug"}
        found |= changed(baked(**usual).digests(), baked(**{**usual, key: other}).digests())
    assert found == {".template.json", *files}


def test_every_owned_path_exists_and_belongs_to_a_variable_that_exists() -> None:
    assert OWNED_PATHS
    assert len(OWNED_PATHS) == sum(map(len, COOKIECUTTER_JSON["_owned_paths"].values()))
    for path, variable in OWNED_PATHS.items():
        assert (EMITTED / path).exists(), path
        assert COOKIECUTTER_JSON[variable], variable
