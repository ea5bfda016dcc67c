"""The files of a bake: which there are, that none holds traces of the template, and that all parse."""

import ast
import functools
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.conftest import Baker
from tests.support import variants
from tests.support.template import EMITTED, OWNED_PATHS, emitted_files, expected_files, is_rendered
from tests.support.variants import Variant

TEMPLATE_SYNTAX = re.compile(r"\{\{|\{%|\{#|^\s*# %", re.MULTILINE)
#: What only the template's own files hold.
MARKUP = re.compile(r"\{[{%].*cookiecutter|^\s*# %", re.MULTILINE)
# Django's braces in pages, GitHub's (`${{`) in workflows.
OTHER_BRACES: dict[str | tuple[str, ...], str] = {(".html", ".svg"): r"\{\{|\{%|\{#", ".yml": r"\$\{\{"}
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
def test_every_file_of_a_bake_parses_and_has_unix_line_ends(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    for file in project.files:
        text = project.read(file)
        assert "\r" not in text, file
        assert not text or text.endswith("\n"), file
        if Path(file).suffix in PARSERS:
            parse(Path(file).suffix, text)


@functools.cache
def parse(suffix: str, text: str) -> None:
    """Parse the text of a file. Raises the parser's error. Most texts are the same in many projects."""
    PARSERS[suffix](text)


def test_the_largest_and_the_smallest_bake_differ_by_every_owned_path(baked: Baker) -> None:
    everything: set[str] = set()
    for variant in variants.ALL:
        everything |= set(expected_files(baked(**variant).answers))
    smallest = baked(secondary_database="none")
    assert everything == set(emitted_files())
    for path in OWNED_PATHS:
        assert not (smallest.path / path).exists(), path
        assert any(file == path or file.startswith(f"{path}/") for file in everything), path


@variants.each()
def test_a_file_without_markup_is_copied_unchanged(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    copied = [file for file in project.files if not is_rendered(file)]
    assert [file for file in copied if (project.path / file).read_bytes() != (EMITTED / file).read_bytes()] == []


def test_files_with_markup_are_rendered_and_no_others() -> None:
    # Rendering takes time, and a file that is only copied cannot depend on an answer.
    texts = {file: (EMITTED / file).read_text(encoding="utf-8") for file in emitted_files()}
    marked = {file for file, text in texts.items() if MARKUP.search(text)}
    assert {file for file in texts if is_rendered(file)} == marked
    python = [file for file in texts if file.endswith(".py")]
    assert 0 < len([file for file in python if file in marked]) <= len(python) / 10


def test_modules_have_at_most_200_lines_and_routers_60() -> None:
    modules = [file for file in emitted_files() if re.fullmatch(r"(?!.*/tests/)databases/.*\.py", file)]
    lines = {file: (EMITTED / file).read_text(encoding="utf-8").count("\n") for file in modules}
    assert lines
    assert {file: n for file, n in lines.items() if n > (60 if file.endswith("router.py") else 200)} == {}


def test_windows_accepts_every_file_name() -> None:
    for file in emitted_files():
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", file), file
        for part in file.split("/"):
            assert part.partition(".")[0].lower() not in {"con", "prn", "aux", "nul"}, file
    folded = [file.lower() for file in emitted_files()]
    assert len(folded) == len(set(folded))


def test_there_are_80_variants() -> None:
    assert len({variants.name(variant) for variant in variants.every()}) == 160
