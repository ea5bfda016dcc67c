"""Who owns what: an answer changes the paths that `cookiecutter.json` says it owns or shares, and no other."""

import itertools

import pytest

from tests.conftest import Baker
from tests.support import variants
from tests.support.manifest import Trees
from tests.support.template import EMITTED, OWNED_PATHS, PROMPTS, SHARED_PATHS
from tests.support.variants import CHOICES, Variant

OTHER_NAMES = {"project_name": "Another Name", "project_slug": "another_slug"}


def neighbours(key: str) -> list[tuple[Variant, Variant]]:
    """Return all pairs of variants that differ in this answer alone."""
    return [
        (one, other)
        for one, other in itertools.combinations(variants.every(), 2)
        if {each for each in CHOICES if one[each] != other[each]} == {key}
    ]


def changed(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """Return the paths at which two trees differ."""
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


def is_owned(path: str, one: dict[str, str], other: dict[str, str]) -> bool:
    """Return whether a path or a folder above it belongs to a variable that differs between two sets of answers."""
    return any(
        one[variable] != other[variable]
        for owned, variable in OWNED_PATHS.items()
        if path == owned or path.startswith(f"{owned}/")
    )


@pytest.mark.parametrize("key", CHOICES)
def test_an_answer_changes_only_what_it_owns_or_shares(baked: Baker, trees: Trees, key: str) -> None:
    pairs = neighbours(key)
    assert pairs
    shared = set()
    for one, other in pairs:
        answers = baked(**one).answers, baked(**other).answers
        for path in changed(*(dict(trees[variants.name(variant)]) for variant in (one, other))):
            if not is_owned(path, *answers):
                assert key in SHARED_PATHS.get(path, []), (
                    f"{path} differs, and `_shared_paths` does not say so of {key}"
                )
                shared.add(path)
    # No row says more than is true.
    assert shared == {path for path, keys in SHARED_PATHS.items() if key in keys}


@pytest.mark.parametrize("key", OTHER_NAMES)
def test_a_name_changes_only_what_shares_it(baked: Baker, key: str) -> None:
    shared = set()
    for engine in CHOICES["primary_database"]:
        usual = {"primary_database": engine, "project_name": "A Name", "project_slug": "a_slug"}
        shared |= changed(baked(**usual).digests(), baked(**{**usual, key: OTHER_NAMES[key]}).digests())
    assert shared == {path for path, keys in SHARED_PATHS.items() if key in keys}


def test_the_table_of_shared_paths_names_files_and_questions_that_there_are() -> None:
    for path, keys in SHARED_PATHS.items():
        assert (EMITTED / path).is_file(), path
        assert keys, path
        assert set(keys) <= set(PROMPTS), path
        assert keys == [key for key in PROMPTS if key in keys], f"{path}: in the order of the questions"
