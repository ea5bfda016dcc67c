"""The targets of the role of tenants, and whether the results reach them."""

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.tenants.results import Result, number


class Target(NamedTuple):
    """How many times as fast as the best of `others` the way should be. `work` is the start of the work's name."""

    name: str
    part: str
    work: str
    way: str
    others: tuple[str, ...]
    at_least: float


TENANTS, LIMITED = "django-tenants", "django-tenants, limited SET"
LOOPS = ("django-tenants-router", "django-tenants-router, 4 threads", "`migrate` in a loop")
MIGRATING = (TENANTS, "django-tenants, 2 processes", *LOOPS)
MAKING = ("plain Django: `migrate`", TENANTS, "django-tenants, its clone", "django-tenants-router")
OURS, ROOMY, DEFAULT = "this template", "this template, 256 connections", "this template, 64 connections"
PREPARED = "this template, a ready database"
OPTION = "this template, 256, prepared"
STATIC = ("static aliases",)
TARGETS = [
    Target("requests, 256 connections; django-tenants", "requests", "uniform", ROOMY, (TENANTS,), 1.25),
    Target("the same; static aliases", "requests", "uniform", ROOMY, STATIC, 1.4),
    Target("prepared statements; django-tenants", "requests", "uniform", OPTION, (TENANTS,), 1.4),
    Target("the same; static aliases", "requests", "uniform", OPTION, STATIC, 1.6),
    Target("requests, 64 connections, Zipf; django-tenants", "requests", "Zipf", DEFAULT, (TENANTS,), 0.63),
    Target("gunicorn, 2 x 1, Zipf", "serving", "2 processes x 1, Zipf", DEFAULT, (TENANTS, LIMITED), 1),
    Target("gunicorn, 2 x 4, Zipf", "serving", "2 processes x 4, Zipf", DEFAULT, (TENANTS, LIMITED), 1),
    Target("one more tenant, a copy", "provisioning", "", "this template, a copy", MAKING, 8),
    Target("one more tenant, ready", "provisioning", "", PREPARED, MAKING, 60),
    Target("one new migration for all", "migrating", "200 tenants, one new", OURS, MIGRATING, 3),
    Target("nothing to do for all", "migrating", "200 tenants, nothing", OURS, MIGRATING, 5),
    Target("100 models: one new migration", "migrating_large", "50 tenants of 100 models, one", OURS, MIGRATING, 3.5),
    Target("100 models: nothing to do", "migrating_large", "50 tenants of 100 models, nothing", OURS, MIGRATING, 7),
    Target("test run, 10 tenants, PostgreSQL", "starts", "10 tenants, PostgreSQL, beyond", OURS, STATIC, 4),
    Target("the same, fsync off", "starts", "10 tenants, PostgreSQL, fsync off", OURS, STATIC, 4),
    Target("test run, 10 tenants, SQLite", "starts", "10 tenants, SQLite", OURS, STATIC, 7),
]


class Outcome(NamedTuple):
    """The outcome of a target: its name, the best other way, and how many times as fast ours is."""

    name: str
    best: str
    at_least: float
    ratio: float


def outcomes(results: dict[str, list[Result]]) -> Iterable[Outcome]:
    """Yield the outcome of each target whose work was measured."""
    for target in TARGETS:
        there = [each for each in results.get(target.part, []) if each.work.startswith(target.work)]
        ours = next((each for each in there if each.way == target.way), None)
        others = [each for each in there if each.way in target.others]
        if ours and others:
            best = min(others, key=ours.times_as_fast_as)
            yield Outcome(target.name, best.way, target.at_least, ours.times_as_fast_as(best))


def table(results: dict[str, list[Result]]) -> str:
    """Return the outcomes as a table."""
    lines = ["| work | the best of the others | ours is times as fast | target |", "|---|---|---|---|"]
    for each in outcomes(results):
        cells = [each.name, each.best, number(each.ratio), f"at least {each.at_least:g}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
