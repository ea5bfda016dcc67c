"""What every user gets stands in `manifest.json`, so that a change of it shows in review."""

import json

import pytest

from tests.support import manifest, variants
from tests.support.manifest import Trees

UPDATE = "`make manifest` writes it anew; look at the difference before you commit it."


def test_every_project_is_the_one_in_the_manifest(trees: Trees, request: pytest.FixtureRequest) -> None:
    present = manifest.manifest_of(trees)
    if request.config.getoption("--update-manifest"):
        manifest.FILE.write_text(json.dumps(present, indent=1) + "\n", encoding="utf-8")
    committed = json.loads(manifest.FILE.read_text(encoding="utf-8"))
    assert manifest.differences(committed, present) == [], UPDATE


def all_trees(**changed: str) -> dict[str, dict[str, str]]:
    """Return small trees: `a` is the same everywhere, `b` depends on the engine and is missing with SQLite."""
    engines = {variants.name(variant): variant["primary_database"] for variant in variants.every()}
    return {
        name: {"a": "1"} | ({"b": engine} if engine != "sqlite" else {}) | changed for name, engine in engines.items()
    }


def test_a_path_is_listed_by_the_answers_that_decide_it() -> None:
    assert manifest.manifest_of(all_trees()) == {
        "a": {"always": "1"},
        "b": {
            "primary_database=sqlite": "absent",
            "primary_database=postgresql": "postgresql",
            "primary_database=mysql": "mysql",
        },
    }


@pytest.mark.parametrize("changed", [{"a": "2"}, {"c": "new"}])
def test_a_change_in_one_project_alone_is_found(changed: dict[str, str]) -> None:
    trees = all_trees()
    trees[variants.name(variants.every()[40])] |= changed
    (difference,) = manifest.differences(manifest.manifest_of(all_trees()), manifest.manifest_of(trees))
    assert difference.partition(":")[0] in changed
