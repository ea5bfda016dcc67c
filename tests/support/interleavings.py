"""A program for a project with tenants: threads and tasks that take one step at a time, on command."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support import commands
from tests.support.bakes import Bake
from tests.support.environments import Environment

#: Reads a JSON list of steps from each line, `[actor, step, *words]`, and prints their results. Even actors are
#: threads, odd ones are tasks on one event loop. Each line starts with new actors and new rows.
PROGRAM = """
import asyncio, json, queue, sys, threading
import django
django.setup()
from asgiref.sync import sync_to_async
from django.core.signals import request_finished
from django.db import connections
from databases import atomic_for
from databases.tenants import CrossTenantError, use_tenant
from databases.tenants.leases import opened
from databases.tenants.lifecycle import create_tenant
from projects.models import DataPoint

PREFIX, ACTORS, *SLUGS = sys.argv[1:]
kept = {}


class OnPurpose(Exception):
    pass


def read():
    return sorted(row.name for row in DataPoint.objects.all())


def look(slug):
    with use_tenant(slug, switch=True):
        return read()


def write(name):
    DataPoint.objects.create(name=name, value=0)


def write_in_vain(name):
    try:
        with atomic_for(DataPoint):
            write(name)
            raise OnPurpose
    except OnPurpose:
        pass


def build():
    kept["rows"] = DataPoint.objects.all()


def evaluate():
    return sorted(row.name for row in kept["rows"].iterator()) if "rows" in kept else "nothing"


def load():
    kept["row"] = DataPoint.objects.order_by("pk")[0]


def save():
    return kept["row"].save() if "row" in kept else "nothing"


def rest():
    request_finished.send(sender=None)


def outcome_of(work):
    try:
        return work()
    except Exception as error:
        return type(error).__name__
    finally:
        # A thread that kept more until its next step would let the others wait in vain: there are as many connections
        # as threads, of which tasks share one.
        if len(opened.aliases()) > 1:
            opened.give_back()


# Yields the result of a step and is sent the next one; yields work on databases, and is sent its result.
def live(depth=0, step=None):
    said = None
    while True:
        step, *words = yield ("said", said)
        if step == "enter":
            try:
                with use_tenant(words[0], switch=words[1]):
                    yield from live(depth + 1)
                said = "left"
            except CrossTenantError as error:
                said = type(error).__name__
            except OnPurpose as error:
                if error.args[0] > 1 and depth:
                    raise OnPurpose(error.args[0] - 1)
                said = "raised"
        elif step in ("leave", "fail") and not depth:
            said = "nothing"
        elif step == "leave":
            return
        elif step == "fail":
            raise OnPurpose(*words)
        else:
            said = yield ("work", lambda: outcome_of(lambda: globals()[step](*words)))


class Thread:
    def __init__(self):
        self.steps, self.answers = queue.SimpleQueue(), queue.SimpleQueue()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        life = live()
        kind, what = next(life)
        while (step := self.steps.get()) is not None:
            kind, what = life.send(step)
            while kind == "work":
                kind, what = life.send(what())
            self.answers.put(what)
        life.close()
        connections.close_all()

    def take(self, step):
        self.steps.put(step)
        return self.answers.get()

    def end(self):
        self.steps.put(None)
        self.thread.join()


class Task:
    def __init__(self):
        self.steps, self.answers = asyncio.Queue(), queue.SimpleQueue()
        self.task = asyncio.run_coroutine_threadsafe(self.run(), loop)

    async def run(self):
        life = live()
        kind, what = next(life)
        while (step := await self.steps.get()) is not None:
            kind, what = life.send(step)
            while kind == "work":
                kind, what = life.send(await sync_to_async(what)())
            self.answers.put(what)
        life.close()

    def take(self, step):
        loop.call_soon_threadsafe(self.steps.put_nowait, step)
        return self.answers.get()

    def end(self):
        loop.call_soon_threadsafe(self.steps.put_nowait, None)
        self.task.result()


loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
for slug in SLUGS:
    create_tenant(slug, database=f"{PREFIX}_{slug}")
for line in sys.stdin:
    kept.clear()
    for slug in SLUGS:
        with use_tenant(slug):
            DataPoint.objects.all().delete()
            write(slug)
    rest()
    actors = [Task() if number % 2 else Thread() for number in range(int(ACTORS))]
    said = [actors[who].take(step) for who, *step in json.loads(line)]
    for each in actors:
        each.end()
    print(json.dumps(said), flush=True)
"""


class Actors:
    """The program, while it runs."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def take(self, steps: list[list[Any]]) -> list[Any]:
        """Let the actors take these steps one after the other, and return the results."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(steps)}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._log.read_text()
        said: list[Any] = json.loads(line)
        return said


@contextlib.contextmanager
def acting(
    project: Bake, tools: Environment, env: Mapping[str, str], prefix: str, actors: int, slugs: list[str]
) -> Iterator[Actors]:
    """Run the program in a project with a migrated primary.

    Arguments: what the names of the tenants' databases begin with, the number of actors, and the tenants.
    """
    project.write("actors.py", PROGRAM)
    log = project.path.parent / "actors.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [tools.python, "actors.py", prefix, str(actors), *slugs],
            cwd=project.path,
            env={**commands.clean_environment(), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        ) as process,
    ):
        try:
            yield Actors(process, log)
        finally:
            process.kill()
