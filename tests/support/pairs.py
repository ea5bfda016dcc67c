"""Visitors who write and then read, while replicas lag on purpose: how often do they read stale rows?"""

import contextlib
import json
import random
import threading
from collections.abc import Iterator, Mapping

from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.standbys import Standby

#: Pairs of requests through the project's own middleware: the first writes a number, the second reads it.
PROGRAM = """
import json
import sys

import django
django.setup()
from django.conf import settings
from django.db import connections
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from databases.replicas import positions
from databases.replicas.reading import alias_for_read
from notes.models import Note

pairs, check = int(sys.argv[1]), sys.argv[2] == "check"
if not check:
    positions.Mark.is_reached = lambda mark, answer: True
Note.objects.bulk_create([Note(text="0") for _ in range(10)])
keys = list(Note.objects.values_list("pk", flat=True)[:10])


def write(request, number):
    Note.objects.filter(pk=keys[number % 10]).update(text=str(number))
    return HttpResponse()


def read(request, number):
    # None where a replica does not have the row yet.
    text = Note.objects.filter(pk=keys[number % 10]).values_list("text", flat=True).first()
    return HttpResponse(f"{text} {alias_for_read() or "default"}")


settings.ROOT_URLCONF = type("Pages", (), {
    "urlpatterns": [path("write/<int:number>/", write), path("read/<int:number>/", read)]
})
settings.ALLOWED_HOSTS = ["testserver"]
settings.MIDDLEWARE = ["databases.replicas.middleware.ReplicaMiddleware"]
settings.REPLICA_MAX_LAG_SECONDS = 3600
stale = from_replica = 0
visitors = [Client() for _ in range(4)]
for number in range(1, pairs + 1):
    visitor = visitors[number % 4]
    visitor.get(f"/write/{number}/")
    text, alias = visitor.get(f"/read/{number}/").content.decode().split()
    stale += text != str(number)
    from_replica += alias != "default"
print(json.dumps({"stale": stale, "from_replica": from_replica}))
"""


@contextlib.contextmanager
def lagging(standbys: list[Standby]) -> Iterator[None]:
    """Within the block, each standby pauses and resumes replay at random."""
    ended = threading.Event()
    chance = random.Random(20261127)  # noqa: S311

    def lag() -> None:
        while not ended.is_set():
            for standby in standbys:
                standby.pause() if chance.random() < 0.5 else standby.resume()
            ended.wait(chance.uniform(0, 0.1))

    thread = threading.Thread(target=lag)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for standby in standbys:
            standby.resume()


def run(
    project: Bake, tools: Environment, env: Mapping[str, str], standbys: list[Standby], pairs: int, *, check: bool
) -> tuple[int, int]:
    """Return how many of the pairs read stale rows, and how many reads a replica answered.

    Argument `check`: whether positions are compared, as projects do it; without it the pairs are the control.
    """
    with lagging(standbys):
        words = ("python", "-c", PROGRAM, str(pairs), "check" if check else "no check")
        said = json.loads(project.run(tools, *words, env=env, timeout=3600).splitlines()[-1])
    return said["stale"], said["from_replica"]
