"""Replicas in trouble: strangers, a failover, lost updates, pages that go backwards, servers that hang under load."""

import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import settings, sites, web_servers
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.mariadb import Mariadb
from tests.support.own_postgres import OwnPostgres, running, wait_until
from tests.support.replica_pages import PAGES
from tests.support.standbys import AT_ONCE, Standby, copied, named
from tests.support.variants import DJANGO
from tests.support.visitors import ONE, OTHER, PRIMARY, Story, Visitor, told

Environments = Callable[[str], Environment]
Servers = tuple[OwnPostgres, list[Standby]]


@pytest.fixture
def tools(replica_project: Bake, environment: Environments) -> Environment:
    """Return the environment of the project."""
    return environment(replica_project.answers["django_version"])


def problems(story: Story) -> dict[str, str]:
    """Return the problem of each replica that has one, from `/readyz`."""
    found = json.loads(story.new().sees("readyz"))
    return {alias: status["problem"] for alias, status in found.items() if "problem" in status}


def test_a_server_of_another_cluster_never_answers(
    replica_project: Bake, replica_env: dict[str, str], tools: Environment, replicas: Servers
) -> None:
    primary, (standby, _) = replicas
    folder = primary.folder.parent / "stranger"
    with contextlib.ExitStack() as stack:
        stranger = stack.enter_context(running(folder, AT_ONCE + named(folder)))
        stranger.server.execute("CREATE DATABASE site OWNER tester")
        alone = {"DATABASE_URL": stranger.server.url_for_tests("site"), "REPLICA_DATABASE_URLS": ""}
        replica_project.run(tools, "python", "manage.py", "migrate", "-v0", env={**replica_env, **alone})
        follower = copied(stranger, folder.with_name("follower"))
        stack.callback(follower.end)
        urls = [each.server.url_for_tests("site") for each in (stranger, follower, standby)]
        mixed = {**replica_env, "REPLICA_DATABASE_URLS": ",".join(urls)}
        with told(replica_project, tools, mixed) as story:
            assert {story.new().sees("read") for _ in range(40)} == {ONE}
            found = problems(story)
        assert found == {
            "replica": "is not a standby",
            "replica_2": "belongs to another cluster than the primary",
        }

        def checked(alias: str) -> str:
            return replica_project.run(tools, "python", "manage.py", "check", "--database", alias, env=mixed)

        assert "databases.W006" in checked("replica_2")
        assert "no issues" in checked("replica_3")
        # Some hosts let only their own administrators ask who a server is. The check says so.
        primary.server.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", "site")
        standby.catch_up(primary)
        assert "may not ask for the cluster and timeline" in checked("replica_3")
        with told(replica_project, tools, mixed) as story:
            assert ONE in {story.new().sees("read") for _ in range(40)}


def writes(visitor: Visitor) -> bool:
    """Return whether a visitor can write."""
    with contextlib.suppress(AssertionError):
        return bool(visitor.sees("write_and_read", "POST"))
    return False


@pytest.mark.parametrize("sees_more", [False, True], ids=["ordinary user", "pg_read_all_stats"])
def test_after_a_failover_nobody_reads_a_dead_timeline(
    sees_more: bool,
    replica_project: Bake,
    replica_env: dict[str, str],
    tools: Environment,
    replicas: Servers,
) -> None:
    primary, (orphan, heir) = replicas
    # libpq takes the server that accepts writes: a failover of the primary without a restart of the site.
    several = f"postgresql://tester:@/site?host={primary.folder},{heir.folder}&target_session_attrs=read-write"
    with told(replica_project, tools, {**replica_env, "DATABASE_URL": several}) as story:
        ann = story.new()
        assert ann.sees("write_and_read", "POST") == PRIMARY
        wait_until(lambda: ann.sees("read") in (ONE, OTHER))
        # The orphan must not get more of the log than the heir: it could never follow that one.
        orphan.follow(None)
        heir.catch_up(primary)
        primary.crash()
        heir.promote()
        wait_until(lambda: writes(ann))
        # The orphan is well, and is not behind the server that it follows. A visitor who has written never reads
        # it, and no one else as soon as the process has asked its new primary.
        assert {ann.sees("read") for _ in range(20)} == {OTHER}
        story.wait_for(OTHER)
        assert {visitor.sees("read") for _ in range(20) for visitor in (ann, story.new())} == {OTHER}
        assert problems(story) == {
            "replica": "is on timeline 1, and the primary is on 2",
            "replica_2": "is not a standby",
        }
        rows = int(ann.sees("rows"))
        orphan.follow(heir)
        orphan.catch_up(heir)
        # An ordinary user does not see yet that it follows the new primary.
        assert problems(story)["replica"] == "is on timeline 1, and the primary is on 2"
        if sees_more:
            heir.server.execute("GRANT pg_read_all_stats TO tester")
        else:
            heir.server.execute("CHECKPOINT")
            orphan.catch_up(heir)
            orphan.server.execute("CHECKPOINT")
        wait_until(lambda: story.new().sees("read") == ONE)
        assert int(story.new().sees("rows")) >= rows


#: Two visitors change one row: one counts, the other edits another column by a form.
COUNTING = f"""{PAGES}
from datetime import timedelta
from django.db.models import F


def count_up(request):
    Note.objects.filter(text__startswith="first").update(created=F("created") + timedelta(seconds=1))
    return "done"


def edit(request):
    note = Note.objects.get(text__startswith="first")
    modelform_factory(Note, fields=["text"])({{"text": "first, edited"}}, instance=note).save()
    return "done"


def seconds(request):
    return str(int(Note.objects.using("default").get(text__startswith="first").created.timestamp()))


urlpatterns += [path("count_up/", page(count_up)), path("edit/", page(edit)), path("seconds/", page(seconds))]
"""
#: What the first plan of this project did, like most routers: a form reads a replica until the request has written.
WITHOUT_RULES = """
from databases.replicas import middleware, writes
middleware.SAFE = {"GET", "POST"}
writes.is_replica = lambda alias: False
"""
UPDATES = 50
#: Milliseconds.
LAGS = [0, 20, 100]


@pytest.mark.parametrize("lag", LAGS)
def test_no_update_is_lost(
    lag: int, replica_project: Bake, replica_env: dict[str, str], tools: Environment, replicas: Servers
) -> None:
    for standby in replicas[1]:
        standby.lag(lag)
    kept = []
    for pages in (COUNTING, COUNTING + WITHOUT_RULES):
        with told(replica_project, tools, replica_env, pages) as story:
            counter = story.new()
            wait_until(lambda: counter.sees("read") in (ONE, OTHER))  # noqa: B023 - it waits here
            before = int(counter.sees("seconds"))
            for _ in range(UPDATES):
                counter.sees("count_up", "POST")
                story.new().sees("edit", "POST")
            kept.append(int(counter.sees("seconds")) - before)
    print(f"At {lag} ms of lag {kept[0]} of {UPDATES} updates are kept, without the rules {kept[1]}")
    assert kept[0] == UPDATES
    if lag == max(LAGS):
        # The control: a form that reads a replica undoes them. On a busy machine, a request takes a shorter lag's time.
        assert kept[1] < UPDATES


VIEWS = 100


def test_no_page_is_older_than_the_one_before(
    replica_project: Bake, replica_env: dict[str, str], tools: Environment, replicas: Servers
) -> None:
    replicas[1][0].lag(300)
    backwards = []
    for pages in (PAGES, f"{PAGES}\nsettings.REPLICA_MONOTONIC_READS = False\n"):
        with told(replica_project, tools, replica_env, pages) as story:
            story.wait_for(ONE, OTHER)
            writer, readers = story.new(), [story.new() for _ in range(4)]
            seen = Counter[Visitor]()
            answered = set()
            backwards.append(0)
            for view in range(VIEWS):
                writer.sees("write_and_read", "POST")
                reader = readers[view % len(readers)]
                rows, where = int(reader.sees("rows")), reader.sees("read")
                answered.add(where)
                backwards[-1] += rows < seen[reader]
                seen[reader] = max(rows, seen[reader])
            assert answered & {ONE, OTHER}
    print(f"{backwards[0]} of {VIEWS} views go backwards, without the cookie {backwards[1]}")
    assert backwards[0] == 0
    # The control.
    assert backwards[1] > 0


#: A worker's task: it reads from a replica what its sender has committed, though every replica is seconds behind.
WORKER = """
import sys
import django
django.setup()
from django.conf import settings
from databases.replicas import reading, use_replica
from databases.replicas.visits import NOTHING
from notes.models import Note

settings.REPLICA_ANSWER_SECONDS = 30
if sys.argv[1] == "without":
    reading.mark_now = lambda at: NOTHING
with use_replica():
    note = Note.objects.filter(text="written").first()
    print(note and note._state.db.partition("_")[0])
"""


def test_a_worker_sees_what_its_sender_wrote(
    replica_project: Bake, replica_env: dict[str, str], tools: Environment, replicas: Servers
) -> None:
    for standby in replicas[1]:
        standby.lag(10_000)
    with told(replica_project, tools, replica_env) as story:
        story.new().sees("write_and_read", "POST")

        def worker(word: str) -> str:
            return replica_project.run(tools, "python", "-c", WORKER, word, env=replica_env).split()[-1]

        # The control first: the replicas do not have the row yet.
        assert worker("without") == "None"
        assert worker("with") == "replica"


def test_a_deactivated_user_is_out_at_once(
    replica_project: Bake, replica_env: dict[str, str], tools: Environment, replicas: Servers
) -> None:
    pages = f"""{PAGES}
from django.contrib import admin
from django.contrib.auth import login

def enter(request):
    user = User.objects.get(username="ann")
    User.objects.update(is_superuser=True, is_staff=True, is_active=True)
    login(request, user)
    return "in"

def leave(request):
    User.objects.update(is_active=False)
    return "out"

urlpatterns += [path("enter/", page(enter)), path("leave/", page(leave)), path("admin", admin.site.urls)]
"""
    plain = {**replica_env, "DJANGO_SETTINGS_MODULE": "config.settings"}
    replica_project.run(tools, "python", "manage.py", "collectstatic", "--no-input", env=plain)
    with told(replica_project, tools, plain, pages.replace('path("admin"', 'path("admin/"')) as story:
        ann = story.new()
        ann.sees("enter", "POST")
        assert "ann" in ann.sees("admin")
        for standby in replicas[1]:
            standby.pause()
        story.new().sees("leave", "POST")
        with pytest.raises(AssertionError):
            ann.sees("admin")


#: Seconds for which clients ask in each state, and how many clients there are.
STATE_SECONDS = 4
CLIENTS = 8
#: From here on an answer is slow. A page takes some milliseconds.
SLOW_SECONDS = 0.5
POOL = 10


class Load:
    """Clients who ask for a page as fast as they get it: the status of each answer, and its seconds."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[tuple[int, float]] = []
        self._ended = threading.Event()

    @contextlib.contextmanager
    def asked(self) -> Iterator[None]:
        """Within the block, let all clients ask."""
        threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _ask(self) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/read/", headers={"Host": "example.com"})
        while not self._ended.is_set():
            start, status = time.perf_counter(), 0
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                    status = int(answer.status)
            except urllib.error.HTTPError as error:
                status = error.code
            except OSError:
                status = 0
            self.answers.append((status, time.perf_counter() - start))

    def told(self) -> str:
        """Return the cells of a row: requests, failed, slow ones and the slowest."""
        failed = sum(status != 200 for status, _ in self.answers)
        slow = [seconds for _, seconds in self.answers if seconds > SLOW_SECONDS]
        slowest = max(seconds for _, seconds in self.answers)
        return f"{len(self.answers)} | {failed} | {len(slow)} | {slowest:.2f}"


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_no_request_fails_while_servers_hang(
    server: str, replica_project: Bake, replica_env: dict[str, str], replicas: Servers
) -> None:
    primary, (first, second) = replicas
    replica_project.write("story_pages.py", PAGES)
    tools = web_servers.environment(replica_project)
    with contextlib.ExitStack() as stack:
        # It accepts connections, and says nothing.
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        urls = f"{replica_env['REPLICA_DATABASE_URLS']},postgresql://a:b@127.0.0.1:{silent.getsockname()[1]}/site"
        env = {**replica_env, "REPLICA_DATABASE_URLS": urls, "DJANGO_SETTINGS_MODULE": "story_settings"}
        replica_project.write("story_settings.py", "from config.settings import *\nROOT_URLCONF = 'story_pages'\n")
        site = stack.enter_context(web_servers.serving(server, replica_project, tools, env))
        site.page("example.com", "/read/")
        states: dict[str, AbstractContextManager[None]] = {
            "all are well, but one that never answers": contextlib.nullcontext(),
            "a replica is frozen": first.frozen(),
            "the primary is frozen": primary.frozen(),
            "a replica has stopped": stopped(first),
        }
        most: Counter[str] = Counter()
        print(f"\n| {server}: state | requests | failed | slow | slowest |\n|---|---|---|---|---|")
        for state, block in states.items():
            load = Load(site.port)
            with load.asked(), block:
                end = time.monotonic() + STATE_SECONDS
                while time.monotonic() < end:
                    for each in (primary, first, second) if state.startswith("all") else ():
                        most[each.folder.name] = max(most[each.folder.name], sessions(each))
                    time.sleep(0.1)
            print(f"| {state} | {load.told()} |")
            assert [status for status, _ in load.answers if status != 200] == [], site.log.read_text()
            assert len(load.answers) > CLIENTS
        print(f"most sessions: {dict(most)}; a bound of {POOL} for each process")
        assert max(most.values()) <= POOL * web_servers.PROCESSES[server]
        # One line of each process when it is first met.
        assert site.log.read_text().count("The replica replica_3") == web_servers.PROCESSES[server]


PLAIN_PAGES = """
from django.http import HttpResponse
from django.urls import path
from notes.models import Note

urlpatterns = [path("read/", lambda request: HttpResponse(Note.objects.get()._state.db))]
"""


def test_no_request_fails_while_a_replica_on_mariadb_hangs(
    bake: Baker, environment: Environments, mariadb: Mariadb, tmp_path: Path
) -> None:
    # No replication: the second server has the same row. What counts is that no request waits for it.
    project = bake(
        primary_database="mysql",
        secondary_database="none",
        read_replicas="yes",
        tenant_databases="none",
        django_version=DJANGO or "6.1",
    )
    tools = environment(project.answers["django_version"])
    replica = Mariadb(tmp_path / "replica")
    replica.start()
    try:
        urls = {name: each.create(f"replicas_{name}") for name, each in (("one", mariadb), ("other", replica))}
        env = {**settings.production(project, lambda name: urls["one"]), "DJANGO_SETTINGS_MODULE": "config.settings"}
        for url in urls.values():
            alone = {**env, "DATABASE_URL": url, "REPLICA_DATABASE_URLS": ""}
            project.run(tools, "python", "manage.py", "migrate", "-v0", env=alone)
            make = "import django; django.setup(); from notes.models import Note; Note.objects.create(text='a note')"
            project.run(tools, "python", "-c", make, env=alone)
        env["REPLICA_DATABASE_URLS"] = urls["other"]
        with sites.serving(project, tools, PLAIN_PAGES, env, host="example.com", threads=True) as site:
            wait_until(lambda: site.ask("read/") == (200, "replica"))
            load = Load(site.port)
            with load.asked(), replica.frozen():
                wait_until(lambda: site.ask("read/") == (200, "default"))
                time.sleep(STATE_SECONDS)
            print(f"| a replica on MariaDB is frozen | {load.told()} |")
            assert [status for status, _ in load.answers if status != 200] == [], site.log.read_text()
            wait_until(lambda: site.ask("read/") == (200, "replica"))
    finally:
        replica.stop()


@contextlib.contextmanager
def stopped(server: OwnPostgres) -> Iterator[None]:
    """Within the block, the server is down."""
    server.crash()
    try:
        yield
    finally:
        server.start()


def sessions(server: OwnPostgres) -> int:
    """Return how many sessions the project's user has."""
    ((count,),) = server.server.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'tester'")
    return int(str(count))
