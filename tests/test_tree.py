"""What lies on disk after a bake: the right files, no traces of the template, every file in its language."""

import ast
import json
import re
import tomllib
from collections.abc import Callable

import pytest
import yaml

from tests.conftest import Baker
from tests.support import variants
from tests.support.template import COOKIECUTTER_JSON, EMITTED, OWNED_PATHS, PROMPTS, emitted_files, expected_files
from tests.support.variants import Variant

TEMPLATE_SYNTAX = re.compile(r"\{\{|\{%|\{#|^\s*# %", re.MULTILINE)
# Their braces are somebody else's: Django's in pages, GitHub's (`${{`) in workflows.
OTHER_BRACES = {".html": r"\{\{|\{%|\{#", ".yml": r"\$\{\{"}
PARSERS: dict[str, Callable[[str], object]] = {
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".json": json.loads,
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
}


@variants.each()
def test_a_bake_holds_exactly_the_files_of_its_answers(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    assert project.files == expected_files(project.answers)


@variants.each()
def test_a_bake_has_no_empty_folder(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    assert [path for path in project.path.rglob("*") if path.is_dir() and not any(path.iterdir())] == []


@variants.each()
def test_a_bake_holds_no_template_syntax(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    left = []
    for file in project.files:
        text = project.read(file)
        for suffix, pattern in OTHER_BRACES.items():
            text = re.sub(pattern, "", text) if file.endswith(suffix) else text
        left += [(file, found.group()) for found in TEMPLATE_SYNTAX.finditer(text)]
        left += [(file, "cookiecutter")] if "cookiecutter" in text.lower() else []
    assert left == []


@variants.each()
def test_every_file_of_a_bake_parses_and_ends_lines_in_one_way(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    for file in project.files:
        text = project.read(file)
        assert "\r" not in text, file
        assert not text or text.endswith("\n"), file
        for suffix, parse in PARSERS.items():
            if file.endswith(suffix):
                parse(text)


def test_the_largest_and_the_smallest_bake_differ_by_every_owned_path(baked: Baker) -> None:
    everything: set[str] = set()
    for variant in variants.ALL:
        everything |= set(expected_files(baked(**variant).answers))
    smallest = baked(primary_database="sqlite", secondary_database="none", tenant_databases="none")
    assert everything == set(emitted_files())
    for path in OWNED_PATHS:
        assert not (smallest.path / path).exists(), path
        assert any(file == path or file.startswith(f"{path}/") for file in everything), path


def test_every_owned_path_exists_and_belongs_to_a_variable_that_exists() -> None:
    assert OWNED_PATHS
    for path, variable in OWNED_PATHS.items():
        assert (EMITTED / path).exists(), path
        assert COOKIECUTTER_JSON[variable], variable


def test_nine_of_ten_emitted_python_files_hold_no_template_syntax() -> None:
    files = [file for file in emitted_files() if file.endswith(".py")]
    with_syntax = [
        file for file in files if re.search(r"\{\{ ?cookiecutter|^\s*# %", (EMITTED / file).read_text(), re.M)
    ]
    assert with_syntax
    assert len(with_syntax) <= len(files) / 10, with_syntax


@pytest.mark.parametrize("file", [file for file in emitted_files() if re.fullmatch(r"databases/.*\.py", file)])
def test_no_emitted_module_is_longer_than_200_lines(file: str) -> None:
    lines = len((EMITTED / file).read_text(encoding="utf-8").splitlines())
    assert lines <= (80 if file.endswith("router.py") else 200)


def test_no_file_name_is_one_that_windows_refuses() -> None:
    for file in emitted_files():
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", file), file
        for part in file.split("/"):
            assert part.partition(".")[0].lower() not in {"con", "prn", "aux", "nul"}, file
    folded = [file.lower() for file in emitted_files()]
    assert len(folded) == len(set(folded))


def test_there_are_72_variants() -> None:
    combinations = 1
    for value in PROMPTS.values():
        combinations *= len(value) if isinstance(value, list) else 1
    assert combinations == 72
    assert len({variants.name(variant) for variant in variants.every()}) == 72
