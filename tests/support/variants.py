"""The variants: every combination of the answers that are choices, computed from `cookiecutter.json`."""

import itertools
import os

import pytest

from tests.support.template import PROMPTS

CHOICES: dict[str, list[str]] = {key: value for key, value in PROMPTS.items() if isinstance(value, list)}
# The template's own workflow tests one version of Django at a time; unset, all are tested.
DJANGO = os.environ.get("TEMPLATE_TESTS_DJANGO", "")

Variant = dict[str, str]


def every() -> list[Variant]:
    """Return all combinations, whatever this run is restricted to."""
    return [dict(zip(CHOICES, answers, strict=True)) for answers in itertools.product(*CHOICES.values())]


if DJANGO not in ("", *CHOICES["django_version"]):
    raise ValueError(f"TEMPLATE_TESTS_DJANGO={DJANGO} is not one of {CHOICES['django_version']}")
ALL: list[Variant] = [variant for variant in every() if variant["django_version"].startswith(DJANGO)]


def name(variant: Variant) -> str:
    """Return a short name, such as `sqlite-none-managed-5.2`."""
    return "-".join(variant.values())


def select(**only: str) -> list[Variant]:
    """Return the variants with the given answers.

    Raises ValueError for a key or an answer that `cookiecutter.json` lacks: a misspelt one would select nothing.
    """
    for key, answer in only.items():
        if answer not in CHOICES.get(key, []):
            raise ValueError(f"{key}={answer!r} is not an answer: {CHOICES}")
    return [variant for variant in ALL if only.items() <= variant.items()]


def each(**only: str) -> pytest.MarkDecorator:
    """Parametrize a test with `variant`: all of them, or only those with the given answers."""
    return pytest.mark.parametrize("variant", select(**only), ids=name)


def each_role() -> pytest.MarkDecorator:
    """Parametrize a test with every combination of roles once.

    Engines and versions of Django take turns, so that every engine meets every answer about roles.
    """
    versions = [DJANGO] if DJANGO else CHOICES["django_version"]
    engines = CHOICES["primary_database"]
    chosen = [
        variant
        for row, secondary in enumerate(CHOICES["secondary_database"])
        for column, tenants in enumerate(CHOICES["tenant_databases"])
        for variant in select(
            primary_database=engines[(row + column) % len(engines)],
            secondary_database=secondary,
            tenant_databases=tenants,
            django_version=versions[(row + column) % len(versions)],
        )
    ]
    return pytest.mark.parametrize("variant", chosen, ids=name)


def everything(**kinds: list[str]) -> pytest.MarkDecorator:
    """Parametrize a test with variants of mirror, replica and tenants: on each engine, these kinds of tenants."""
    chosen = [
        variant
        for engine, tenants in kinds.items()
        for place, kind in enumerate(tenants)
        for variant in select(
            primary_database=engine,
            secondary_database="mirror-and-replica",
            tenant_databases=kind,
            django_version=DJANGO or CHOICES["django_version"][place % 2],
        )
    ]
    return pytest.mark.parametrize("variant", chosen, ids=name)
