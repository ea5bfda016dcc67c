"""How long the creation of one more tenant takes, in a warm process."""

import contextlib

from benchmarks.tenants.arena import FLEET, OURS, ROUTER, SCHEMAS, STATIC, Arena
from benchmarks.tenants.results import Result, say

PREPARED = "this template, a ready database"
#: By name: the project, the function to call, and its first number, so that no two ways create the same tenant. Both of
#: ours are in one project, because projects on one server drop each other's templates.
WAYS = {
    "this template, a copy": (FLEET, "create", 100_000),
    PREPARED: (FLEET, "take", 200_000),
    "plain Django: `migrate`": (STATIC, "create", 100_000),
    "django-tenants": (SCHEMAS, "create", 100_000),
    "django-tenants, its clone": (SCHEMAS, "clone", 200_000),
    "django-tenants-router": (ROUTER, "create", 100_000),
}


def one_more(arena: Arena, rounds: int) -> list[Result]:
    """Measure the creation of a tenant, from the call until its pages can be served."""
    samples: dict[str, list[float]] = {way: [] for way in WAYS}
    with contextlib.ExitStack() as stack:
        names = dict.fromkeys(name for name, _, _ in WAYS.values())
        workers = {name: stack.enter_context(arena.site(name, f"p_{name[-5:]}").worker()) for name in names}
        workers[SCHEMAS].told("make_base")
        # Not measured: the first tenant of each kind, which does work that later ones find done, and the preparation.
        for turn in range(rounds + 1):
            for way, (name, call, first) in WAYS.items():
                if way == PREPARED:
                    workers[name].told("prepare_databases", 1)
                took = workers[name].timed(call, first + turn)
                if turn:
                    samples[way].append(took * 1000)
            say(f"round {turn}: " + ", ".join(f"{way} {some[-1]:.0f} ms" for way, some in samples.items() if some))
    return [Result("one more tenant", way, "ms", some, way.startswith(OURS)) for way, some in samples.items()]
