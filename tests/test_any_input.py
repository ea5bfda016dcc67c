"""Any answer is refused with one line and leaves nothing on disk, or stands unchanged in a project that parses.

`test_hostile_names.py` holds examples that a person thought of; here a program looks for others.
"""

import functools
import json
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import variants
from tests.support.bakes import Bake
from tests.support.template import PROMPTS, run_bake_py
from tests.support.variants import CHOICES, Variant

VISIBLE = [
    *("{{", "}}", "{%", "%}", "{#", "#}", "# %", "{{ 7*7 }}", "{% raw %}", "{{ cookiecutter }}", "# % if x"),
    *("'", '"', "'''", '"""', "\\", "\\n", "\\u0041", "\\N{DASH}", "`", "$HOME", "$(id)", "%s", "%(x)s", "{0}", "${{"),
    *(
        "\u202e",
        "\u200b",
        "\ufeff",
        "🎉",
        "👩‍👩‍👧",
        "ß",
        "ä",
        "日本",
        "e\u0301",
        "[bold]",
        "[/]",
        "[x]",
        "<b>",
        "&amp;",
    ),
    *(
        "]]>",
        "-->",
        "---",
        "#",
        ":",
        "@",
        "../",
        "/",
        "..",
        "~",
        "C:\\",
        "/etc/passwd",
        ".git",
        "nul",
        "class",
        "=",
        " ",
    ),
]
UNPRINTABLE = ["\n", "\r\n", "\t", "\0", "\a", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029", "\udce4"]
visible_characters = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
visible = st.lists(st.sampled_from(VISIBLE) | st.text(visible_characters, max_size=5), max_size=12).map("".join)
unprintable = st.builds("".join, st.tuples(visible, st.sampled_from(UNPRINTABLE), visible))
long_texts = st.builds(str.__mul__, st.sampled_from(["xxx", "🎉🎉", '""', "\\\\", "a_"]), st.integers(51, 2000))
hostile = visible | unprintable | long_texts
slugs = st.from_regex("[a-z][a-z0-9_]{0,45}", fullmatch=True)
choices = {key: st.sampled_from(answers) for key, answers in CHOICES.items()}
#: Without a database of examples, each run tries others.
search = functools.partial(
    settings, deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)

PARSERS: dict[str, Callable[[str], object]] = {
    ".py": lambda text: compile(text, "emitted", "exec"),
    ".toml": tomllib.loads,
    ".json": json.loads,
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
}


@functools.cache
def parse(suffix: str, text: str) -> object:
    """Parse the text of a file; most texts are the same in all projects."""
    return PARSERS[suffix](text)


def answer(answers: dict[str, str]) -> str:
    """Give answers to `bake.py`, check the outcome, and return "baked" or the question whose answer is refused."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "output")
        output.mkdir()
        words = [f"{key}={value}" for key, value in answers.items()]
        code, printed = run_bake_py("--no-input", "-o", str(output), *words)
        assert [path.name for path in Path(folder).iterdir()] == ["output"]
        made = list(output.iterdir())
        if code == 0:
            (project,) = made
            check(Bake(project, dict(answers)))
            return "baked"
        assert code == 1, printed
        assert made == []
        assert len(printed.splitlines()) == 1, printed
        assert printed.rstrip("\n").isprintable(), printed
        return printed.partition(" ")[0]


def check(project: Bake) -> None:
    """Check that every file parses, and that files hold the answers unchanged."""
    parsed = {
        file: parse(Path(file).suffix, project.read(file)) for file in project.files if Path(file).suffix in PARSERS
    }
    pyproject = parsed["pyproject.toml"]
    assert isinstance(pyproject, dict)
    assert pyproject["project"]["name"] == project.path.name.replace("_", "-")
    if "project_slug" in project.answers:
        assert project.path.name == project.answers["project_slug"]
    if "project_name" in project.answers:
        name = project.answers["project_name"]
        assert pyproject["project"]["description"] == name
        assert project.read("README.md").startswith(f"# {name}\n")
        assert project.site_name() == name


@search(max_examples=100)
@given(visible.map(lambda name: name[:100]).filter(str.strip), st.sampled_from(variants.every()))
def test_any_name_of_one_line_stands_unchanged(name: str, variant: Variant) -> None:
    assert answer({"project_name": name, "project_slug": "a_project", **variant}) == "baked"


@search(max_examples=100)
@given(unprintable | long_texts)
def test_any_other_name_is_refused(name: str) -> None:
    assert answer({"project_name": name}) == "project_name"


@search(max_examples=150)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "project_name": hostile,
            "project_slug": slugs | hostile,
            **{key: values | values | hostile for key, values in choices.items()},
        },
    )
)
def test_any_answers_are_refused_or_stand_unchanged(answers: dict[str, str]) -> None:
    assert answer(answers) in ("baked", *PROMPTS)
