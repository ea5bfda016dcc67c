"""Every condition of the template is true in one project and false in another."""

import re
from collections.abc import Iterator

import pytest

from tests.conftest import Baker
from tests.support import variants
from tests.support.branches import Branches
from tests.support.template import COOKIECUTTER_JSON, EMITTED, ROOT, emitted_files, is_rendered

SETTINGS = {key: COOKIECUTTER_JSON[key] for key in ("_extensions", "_jinja2_env_vars")}
SYNTAX = re.compile(r"\{\{|\{%|# %")


def sources() -> Iterator[tuple[str, int, str, bool]]:
    """Yield what cookiecutter renders: file, line, text, and whether the text is the content of the file."""
    for path in ROOT.glob("hooks/*.py"):
        yield path.relative_to(ROOT).as_posix(), 1, path.read_text(encoding="utf-8"), False
    for file in emitted_files():
        yield f"path {file}", 1, file, False
        if is_rendered(file):
            yield file, 1, (EMITTED / file).read_text(encoding="utf-8"), True
    lines = (ROOT / "cookiecutter.json").read_text(encoding="utf-8").splitlines()
    for key, value in COOKIECUTTER_JSON.items():
        if isinstance(value, str):
            line = next(number for number, text in enumerate(lines, start=1) if text.startswith(f'  "{key}":'))
            yield f"cookiecutter.json {key}", line, value, False


def test_every_condition_is_true_in_one_project_and_false_in_another(baked: Baker) -> None:
    branches = Branches()
    rendered = [source for source in sources() if SYNTAX.search(source[2])]
    for variant in variants.every():
        project = baked(**variant)
        for file, line, source, named in rendered:
            if not named or (project.path / file).exists():
                text = branches.render(source, project.answers, file=file, line=line, named=named)
                # This test renders what users get.
                assert not named or text == project.read(file), file
    assert len(branches.seen) > 100
    assert branches.one_sided() == []


@pytest.mark.parametrize(
    ("source", "answers", "says"),
    [
        ("\n{% if cookiecutter.a %}x{% endif %}", ["yes", ""], []),
        ("\n{% if cookiecutter.a %}x{% endif %}", ["yes"], ["f.txt:2 is never false"]),
        ("# % if cookiecutter.a\nx\n# % endif\n", [""], ["f.txt:1 is never true"]),
        ("\n\n{{ 'x' if cookiecutter.a else 'y' }}", ["yes"], ["f.txt:3 is never false"]),
        ("{% if cookiecutter.a %}\n{{ 1 if cookiecutter.a }}{% endif %}", ["yes", ""], ["f.txt:2 is never false"]),
        ("{% if cookiecutter.a %}\n{{ 1 if cookiecutter.a }}{% endif %}", [""], ["f.txt:1", "f.txt:2 is never eval"]),
        ("{% if cookiecutter.a %}{% elif cookiecutter.a == 'b' %}{% endif %}", ["a", ""], ["f.txt:1 is never true"]),
        ("{% if cookiecutter.a and cookiecutter.a == 'b' %}x{% endif %}", ["b", ""], ["f.txt:1 is never false"]),
        (
            "{% if cookiecutter.a or True %}x{% endif %}",
            ["b", ""],
            ["f.txt:1 is never false", "f.txt:1 is never false"],
        ),
    ],
)
def test_a_condition_that_goes_one_way_only_is_named(source: str, answers: list[str], says: list[str]) -> None:
    branches = Branches()
    for answer in answers:
        branches.render(source, {**SETTINGS, "a": answer}, file="f.txt")
    found = branches.one_sided()
    assert len(found) == len(says)
    assert all(line.startswith(start) for line, start in zip(found, says, strict=True))


def test_the_conditions_of_a_file_are_those_of_its_text() -> None:
    branches = Branches()
    branches.render(
        "{{ 1 if cookiecutter.a else 2 }}\n# % if not cookiecutter.a\n# % endif\n", {**SETTINGS, "a": 1}, file="f"
    )
    assert [(place.line, truths) for place, truths in branches.seen.items()] == [(1, {True}), (2, {False})]
