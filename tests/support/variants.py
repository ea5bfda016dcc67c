"""The variants: every possible combination of the choices in `cookiecutter.json`."""

import itertools
import os

import pytest

from tests.support.template import PROMPTS

CHOICES: dict[str, list[str]] = {key: value for key, value in PROMPTS.items() if isinstance(value, list)}
# The template's own workflow tests one version of Django at a time; unset, all are tested.
DJANGO = os.environ.get("TEMPLATE_TESTS_DJANGO", "")

Variant = dict[str, str]


def every() -> list[Variant]:
    """Return all combinations that the template accepts, whatever this run is restricted to."""
    found = [dict(zip(CHOICES, answers, strict=True)) for answers in itertools.product(*CHOICES.values())]
    return [each for each in found if each["tenant_databases"] != "fleet" or each["primary_database"] == "postgresql"]


if DJANGO not in ("", *CHOICES["django_version"]):
    raise ValueError(f"TEMPLATE_TESTS_DJANGO={DJANGO} is not one of {CHOICES['django_version']}")
ALL: list[Variant] = [variant for variant in every() if variant["django_version"].startswith(DJANGO)]


def name(variant: Variant) -> str:
    """Return a short name, such as `sqlite-none-no-managed-5.2`."""
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


def pairs_of_roles() -> list[Variant]:
    """Return variants that between them hold every pair of roles once.

    Replicas, engines and versions of Django take turns: every engine meets every kind of tenants that it can have.
    """
    versions = 1 if DJANGO else len(CHOICES["django_version"])
    chosen = []
    for row, secondary in enumerate(CHOICES["secondary_database"]):
        for column, tenants in enumerate(CHOICES["tenant_databases"]):
            replicas = CHOICES["read_replicas"][(row + column) % 2]
            same = select(secondary_database=secondary, read_replicas=replicas, tenant_databases=tenants)
            chosen.append(same[((row + column) * versions + row % versions) % len(same)])
    return chosen


def covering() -> pytest.MarkDecorator:
    """Parametrize a test with a few variants that between them hold every role and every engine."""
    rows = [
        ("sqlite", "none", "no", "none", "5.2"),
        ("mysql", "mirror-and-writable", "no", "none", "6.1"),
        ("postgresql", "writable", "yes", "managed", "5.2"),
        ("sqlite", "read-only-mirror", "yes", "external", "6.1"),
        ("postgresql", "none", "no", "fleet", "6.1"),
    ]
    chosen = [dict(zip(CHOICES, row, strict=True)) | ({"django_version": DJANGO} if DJANGO else {}) for row in rows]
    return pytest.mark.parametrize("variant", chosen, ids=name)


def everything(**kinds: list[str]) -> pytest.MarkDecorator:
    """Parametrize a test with variants of every role: on each engine, these kinds of tenants.

    Versions of Django take turns.
    """
    chosen = [
        variant
        for engine, tenants in kinds.items()
        for place, kind in enumerate(tenants)
        for variant in select(
            primary_database=engine,
            secondary_database="mirror-and-writable",
            read_replicas="yes",
            tenant_databases=kind,
            django_version=DJANGO or CHOICES["django_version"][place % 2],
        )
    ]
    return pytest.mark.parametrize("variant", chosen, ids=name)
