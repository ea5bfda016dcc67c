"""What the role of tenants is to reach beside the others, and whether it did."""

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.tenants.results import Result, number


class Target(NamedTuple):
    """How many times as fast one of our ways is to be as the best of these others, in a work that begins so."""

    part: str
    work: str
    way: str
    others: tuple[str, ...]
    at_least: float


TENANTS, LIMITED = "django-tenants", "django-tenants, limited SET"
SCHEMAS, ROUTERS = (
    (TENANTS, "django-tenants, 2 processes"),
    ("django-tenants-router", "django-tenants-router, 4 threads"),
)
ALL_MIGRATE = (*SCHEMAS, *ROUTERS, "`migrate` in a loop")
ALL_MAKE = ("plain Django: `migrate`", TENANTS, "django-tenants, its clone", "django-tenants-router")
BUDGETS = ("this template, budget of 256", "this template, budget of 64")
TARGETS = [
    *(Target("requests", "", way, (TENANTS,), 1.6) for way in BUDGETS),
    *(Target("requests", "", way, ("static aliases",), 1.45) for way in BUDGETS),
    *(Target("serving", f"2 processes x {n}, Zipf", BUDGETS[1], (TENANTS, LIMITED), 1) for n in (1, 4)),
    Target("provisioning", "", "this template, a copy", ALL_MAKE, 7),
    Target("provisioning", "", "this template, a spare", ALL_MAKE, 30),
    Target("migrating", "200 tenants, one new migration", "this template", ALL_MIGRATE, 3),
    Target("migrating", "200 tenants, nothing to do", "this template", ALL_MIGRATE, 5),
    Target("starts", "10 tenants, PostgreSQL", "this template", ("static aliases",), 4),
    Target("starts", "10 tenants, SQLite", "this template", ("static aliases",), 7),
]


class Outcome(NamedTuple):
    """What came of a target: the work and the best other way, in words, and how many times as fast ours is."""

    work: str
    way: str
    best: str
    at_least: float
    ratio: float


def outcomes(results: dict[str, list[Result]]) -> Iterable[Outcome]:
    """Yield what came of each target whose work has been measured."""
    for target in TARGETS:
        there = [each for each in results.get(target.part, []) if each.work.startswith(target.work)]
        ours = next((each for each in there if each.way == target.way), None)
        others = [each for each in there if each.way in target.others]
        if ours and others:
            best = min(others, key=ours.times_as_fast_as)
            yield Outcome(ours.work, ours.way, best.way, target.at_least, ours.times_as_fast_as(best))


def table(results: dict[str, list[Result]]) -> str:
    """Return what came of the targets."""
    lines = ["| work | ours | the best of the others | times as fast | target |", "|---|---|---|---|---|"]
    for each in outcomes(results):
        cells = [each.work, each.way, each.best, number(each.ratio), f"at least {each.at_least:g}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
