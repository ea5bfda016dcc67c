"""The prompts: their order, their words, and what an empty answer means."""

import json

import pytest

from tests.conftest import Baker
from tests.support import commands
from tests.support.commands import COOKIECUTTER
from tests.support.template import COOKIECUTTER_JSON, PROMPTS, ROOT

LABELS = COOKIECUTTER_JSON["__prompts__"]


def test_the_prompts_and_their_choices_have_the_order_of_the_contract() -> None:
    assert list(PROMPTS) == [
        "project_name",
        "project_slug",
        "primary_database",
        "secondary_database",
        "read_replicas",
        "tenant_databases",
        "django_version",
    ]
    assert {key: value for key, value in PROMPTS.items() if isinstance(value, list)} == {
        "primary_database": ["sqlite", "postgresql", "mysql"],
        "secondary_database": ["read-only-mirror", "writable", "mirror-and-writable", "none"],
        "read_replicas": ["no", "yes"],
        "tenant_databases": ["none", "managed", "fleet", "external"],
        "django_version": ["5.2", "6.1"],
    }


def test_empty_answers_take_the_first_choices_and_a_slug_from_the_name(bake: Baker) -> None:
    answers = bake().answers
    first = {key: value[0] for key, value in PROMPTS.items() if isinstance(value, list)}
    expected = {"project_name": "My Project", "project_slug": "my_project", **first}
    assert {key: answers[key] for key in PROMPTS} == expected


def test_every_prompt_and_every_choice_shows_its_label(tmp_path_factory: pytest.TempPathFactory) -> None:
    output = commands.run(
        [COOKIECUTTER, ROOT, "-o", tmp_path_factory.mktemp("typed")],
        cwd=ROOT,
        typed="\n" * len(PROMPTS),
        env={"COLUMNS": "200"},
    )
    assert list(LABELS) == list(PROMPTS)
    for number, (key, value) in enumerate(PROMPTS.items(), start=1):
        label = LABELS[key] if isinstance(value, str) else LABELS[key]["__prompt__"]
        assert f"[{number}/{len(PROMPTS)}] {label}" in output
        if isinstance(value, list):
            assert [key for key in LABELS[key] if key != "__prompt__"] == value
            for position, choice in enumerate(value, start=1):
                assert f"{position} - {LABELS[key][choice]}" in output


def test_no_label_holds_square_brackets_which_are_markup() -> None:
    assert "[" not in json.dumps(LABELS, ensure_ascii=False)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Project", "my_project"),
        ('O\'Brien & "Söhne" 🎉 \\ {{ 7*7 }}', "obrien_sohne_7_7"),
        ("3 Little Pigs", "little_pigs"),
        ("日本", "my_project"),
        ("Django", "django_project"),
        ("Class", "class_project"),
        ("Tests", "tests_project"),
        ("x" * 90, "x" * 40),
    ],
)
def test_the_derived_slug_is_valid_whatever_the_name(bake: Baker, name: str, slug: str) -> None:
    assert bake(project_name=name).answers["project_slug"] == slug


def test_the_fixture_refuses_unknown_keys_and_choices(bake: Baker) -> None:
    with pytest.raises(ValueError, match="There is no prompt 'primary_databse'"):
        bake(primary_databse="sqlite")
    with pytest.raises(ValueError, match="'oracle' is no answer to 'primary_database'"):
        bake(primary_database="oracle")
