"""Requests per second in one process; the time of a request, and the process's memory, with many tenants."""

import contextlib
import random
import statistics
from collections.abc import Iterator
from contextlib import AbstractContextManager

from benchmarks.tenants import clients, usage
from benchmarks.tenants.arena import OURS, ROUTER, SCHEMAS, STATIC, Arena
from benchmarks.tenants.results import Result, number, say
from benchmarks.tenants.worker import Worker

SEED = 20261127
#: Connections must not expire while the other ways have their turn.
AGE = {"AGE": "600"}
#: By name: the project, and environment variables of its process.
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "this template, 256 connections": (OURS, {"BUDGET": "256"}),
    "this template, 256, prepared": (OURS, {"BUDGET": "256", "PREPARED": "1"}),
    "this template, 64 connections": (OURS, {}),
    "django-tenants": (SCHEMAS, {}),
    "django-tenants, limited SET": (SCHEMAS, {"LIMITED": "1"}),
    "django-tenants-router": (ROUTER, {}),
    "static aliases": (STATIC, {}),
}
#: The number of requests of a turn.
TURN = 120
#: Other work of the machine delays requests, and hardly changes these.
QUICK = "a tenth of the requests took at most, ms"
PROCESSOR = "processor time of a request, server's included, ms"
#: The number of tenants that get requests, however many are registered.
ASKED = 10


def in_process(arena: Arena, tenants: int, rounds: int) -> list[Result]:
    """Measure requests to random tenants, by short turns in random order. Each way keeps one process."""
    chance = random.Random(SEED)  # noqa: S311
    data = arena.folder / "postgres"
    found: list[Result] = []
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for way, (name, env) in WAYS.items():
            workers[way] = stack.enter_context(arena.fleet(name, tenants).worker(**AGE, **env))
            workers[way].told("requests", list(range(tenants)))
        for traffic, draws in clients.TRAFFIC.items():
            taken: dict[str, list[float]] = {way: [] for way in WAYS}
            busy = dict.fromkeys(WAYS, 0.0)
            draw = draws(chance, tenants)
            for _ in range(rounds * 5):
                numbers = [draw() for _ in range(TURN)]
                for way, worker in chance.sample([*workers.items()], len(workers)):
                    before = usage.processor(data) + worker.told("processor")
                    taken[way] += worker.told("requests", numbers)
                    busy[way] += usage.processor(data) + worker.told("processor") - before
            for way, some in taken.items():
                tenth = sorted(some)[len(some) // 10]
                extra = {QUICK: f"{tenth * 1000:.2f}", PROCESSOR: number(busy[way] / len(some) * 1000)}
                rates = [TURN / sum(some[each : each + TURN]) for each in range(0, len(some), TURN)]
                found.append(
                    Result(f"{traffic}, {tenants} tenants", way, "requests/s", rates, WAYS[way][0] == OURS, extra)
                )
                say(f"{traffic}: {way}: {statistics.median(rates):.0f} requests/s, {extra}")
    return found


def registered(arena: Arena, sizes: list[int], rounds: int) -> list[Result]:
    """Measure requests to a few tenants while more and more are registered that get no requests."""
    found: list[Result] = []
    have = ASKED
    for size in sizes:
        samples: dict[str, list[float]] = {}
        weights: dict[str, float] = {}
        with contextlib.ExitStack() as stack:
            workers = {way: stack.enter_context(worker) for way, worker in _processes(arena, have, size)}
            for turn in range(rounds + 1):
                for way, worker in workers.items():
                    # Not measured: the first round, which connects.
                    taken = worker.told("requests", [n % ASKED for n in range(100)])
                    if turn:
                        samples.setdefault(way, []).append(statistics.median(taken) * 1000)
            weights = {way: worker.told("memory") for way, worker in workers.items()}
        have = max(have, size)
        for way, some in samples.items():
            say(f"{size} tenants: {way}: {statistics.median(some):.2f} ms, {weights[way]:.0f} MB")
            extra = {"memory of the process, MB": f"{weights[way]:.0f}"}
            found.append(Result(f"{size:,} tenants", way, "ms", some, way == OURS, extra))
    return found


def _processes(arena: Arena, have: int, size: int) -> Iterator[tuple[str, AbstractContextManager[Worker]]]:
    for name in (OURS, SCHEMAS, ROUTER, STATIC):
        site = arena.fleet(name, ASKED, prefix=f"many_{name.replace(' ', '_').replace('-', '_')}")
        if size > have and name != STATIC:
            with site.worker() as worker:
                worker.told("register", have, size)
        yield name, site.worker(**AGE, TENANTS=str(size))
