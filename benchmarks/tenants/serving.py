"""The same requests over a real web server: their rate, and the database sessions and memory that they take."""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator

from benchmarks.tenants import clients, pooler, usage
from benchmarks.tenants.arena import OURS, SCHEMAS, STATIC, Arena, Site
from benchmarks.tenants.requests import SEED
from benchmarks.tenants.results import Result, say
from tests.support import commands
from tests.support.servers import free_port

POOLED = "this template, through PgBouncer"
#: By name: the project, and environment variables of its processes.
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "this template, 64 connections": (OURS, {}),
    "this template, 256 connections": (OURS, {"BUDGET": "256"}),
    "django-tenants": (SCHEMAS, {}),
    "django-tenants, limited SET": (SCHEMAS, {"LIMITED": "1"}),
    "static aliases": (STATIC, {}),
    "static aliases, `CONN_MAX_AGE=0`": (STATIC, {"AGE": "0"}),
    POOLED: (OURS, {}),
}
PROCESSES = 2
THREADS = (1, 4)
CONNECTIONS = "most connections at the server"


def over_a_server(arena: Arena, tenants: int, rounds: int, seconds: float) -> list[Result]:
    """Measure pages of gunicorn, which is restarted and warmed up before each measurement."""
    samples: dict[tuple[str, str], list[float]] = {}
    extras: dict[tuple[str, str], dict[str, str]] = {}
    if not pooler.is_there():
        say("Not measured: PgBouncer (apt install pgbouncer).")
    for turn in range(rounds):
        for threads, traffic in itertools.product(THREADS, clients.TRAFFIC):
            for way, (name, env) in WAYS.items():
                if way == POOLED and not pooler.is_there():
                    continue
                work = f"{PROCESSES} processes x {threads}, {traffic}"
                chance = random.Random(f"{SEED} {turn} {traffic}")  # noqa: S311
                draw = clients.TRAFFIC[traffic](chance, tenants)
                site = arena.fleet(name, tenants)
                with contextlib.ExitStack() as stack:
                    through = stack.enter_context(pooler.running(arena)) if way == POOLED else {}
                    port = stack.enter_context(_serving(site, threads, {**env, **through}))
                    clients.ask(port, draw, count=tenants * 10)
                    with clients.sessions(arena.server.url("postgres")) as counts:
                        rate = clients.rate(port, draw, seconds)
                    weight = usage.memory(arena.folder / "postgres")
                samples.setdefault((work, way), []).append(rate)
                most = max(*counts, int(extras.get((work, way), {}).get(CONNECTIONS, 0)))
                extras[work, way] = {CONNECTIONS: str(most), "memory of the server, MB": f"{weight:.0f}"}
                say(f"round {turn + 1}: {work}: {way}: {rate:.0f} requests/s, {extras[work, way]}")
    return [
        Result(work, way, "requests/s", some, WAYS[way][0] == OURS, extras[work, way])
        for (work, way), some in sorted(samples.items(), key=lambda item: item[0][0])
    ]


@contextlib.contextmanager
def _serving(site: Site, threads: int, env: dict[str, str]) -> Iterator[int]:
    """Within the block, gunicorn serves a project. Yields its port."""
    port = free_port()
    words = [
        "-m",
        "gunicorn",
        "site_wsgi",
        f"--workers={PROCESSES}",
        f"--threads={threads}",
        f"--bind=127.0.0.1:{port}",
    ]
    with (site.folder / "gunicorn.log").open("ab") as log:
        process = subprocess.Popen(
            [site.tools.python, *words],
            cwd=site.folder,
            env={**commands.clean_environment(), **site.env, **env},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            clients.wait(port)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    # Its database sessions end a moment later, and must not count in the next measurement.
    time.sleep(1)
