"""The manifest of all projects: for each path, the digest of what stands there, and which answers decide it."""

import itertools
from collections.abc import Mapping
from pathlib import Path

from tests.support import variants
from tests.support.variants import CHOICES

FILE = Path(__file__).resolve().parents[1] / "manifest.json"
ABSENT = "absent"

#: The digest of each file, by variant.
Trees = Mapping[str, Mapping[str, str]]
#: For each path, the digests by the answers that decide them.
Manifest = dict[str, dict[str, str]]


def manifest_of(trees: Trees) -> Manifest:
    """Return the manifest of the trees of all variants, sorted."""
    paths = sorted({path for tree in trees.values() for path in tree})
    return {path: _contents(path, trees) for path in paths}


def _contents(path: str, trees: Trees) -> dict[str, str]:
    for size in range(len(CHOICES) + 1):
        for keys in itertools.combinations(CHOICES, size):
            # The smallest set of questions whose answers tell what stands at this path.
            found: dict[str, set[str]] = {}
            for variant in variants.every():
                digest = trees[variants.name(variant)].get(path, ABSENT)
                found.setdefault(", ".join(f"{key}={variant[key]}" for key in keys), set()).add(digest)
            if all(len(digests) == 1 for digests in found.values()):
                return {answers or "always": digests.pop() for answers, digests in found.items()}
    raise AssertionError(f"{path} differs between two projects of the same answers")


def differences(committed: Manifest, present: Manifest) -> list[str]:
    """Return a line for each path that differs."""
    return [
        f"{path}: {'is new' if path not in committed else 'is gone' if path not in present else 'has changed'}"
        for path in sorted(committed.keys() | present.keys())
        if committed.get(path) != present.get(path)
    ]
