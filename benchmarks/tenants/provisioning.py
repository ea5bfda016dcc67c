"""How long one more tenant takes, in a process that has been at work for a while."""

import contextlib

from benchmarks.tenants.arena import OURS, ROUTER, SCHEMAS, STATIC, Arena
from benchmarks.tenants.results import Result, say

#: By name: the project, what to call, and where its numbers begin, so that no two ways make the same tenant.
WAYS = {
    "this template, a copy": (OURS, "create", 100_000),
    "this template, a spare": (OURS, "create", 200_000),
    "plain Django: `migrate`": (STATIC, "create", 100_000),
    "django-tenants": (SCHEMAS, "create", 100_000),
    "django-tenants, its clone": (SCHEMAS, "clone", 200_000),
    "django-tenants-router": (ROUTER, "create", 100_000),
}


def one_more(arena: Arena, rounds: int) -> list[Result]:
    """Measure the making of a tenant, from the call that a user makes until it can be served."""
    samples: dict[str, list[float]] = {way: [] for way in WAYS}
    with contextlib.ExitStack() as stack:
        names = dict.fromkeys(name for name, _, _ in WAYS.values())
        workers = {name: stack.enter_context(arena.site(name, f"p_{name[-6:]}").worker()) for name in names}
        workers[SCHEMAS].told("make_base")
        # The first one of each kind does work that the others find done; a spare is made before it is measured.
        for turn in range(rounds + 1):
            for way, (name, call, first) in WAYS.items():
                if way == "this template, a spare":
                    workers[name].told("fill_spares", 1)
                took = workers[name].timed(call, first + turn)
                if turn:
                    samples[way].append(took * 1000)
            say(f"round {turn}: " + ", ".join(f"{way} {some[-1]:.0f} ms" for way, some in samples.items() if some))
    return [Result("one more tenant", way, "ms", some, way.startswith(OURS)) for way, some in samples.items()]
