"""Where reads go while two real standbys lag, stop, are promoted and return: the table in the README."""

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import pairs, reads, settings, sites
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import OwnPostgres, wait_until
from tests.support.reads import Row
from tests.support.sites import Site
from tests.support.standbys import Standby, replicated
from tests.support.template import ROOT
from tests.support.variants import DJANGO

Environments = Callable[[str], Environment]

PAIRS = 400
UPDATE = "`make reads` regenerates it; review the difference before you commit it."
PRIMARY, REPLICA, ONE, OTHER = "the primary", "a replica", "the first replica", "the second replica"

#: Every page says which server answered its query. The server itself reports that.
PAGES = """
import asyncio
import contextlib
import threading

from django.conf import settings
from users.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection, connections, transaction
from django.db.models import CharField, Func, Value
from django.http import HttpResponse
from django.urls import path

from databases.replicas import use_primary, use_replica
from databases.replicas.views import health
from notes.models import Note

SERVER = Func(Value("data_directory"), function="current_setting", output_field=CharField())


def names(queryset):
    return queryset.annotate(server=SERVER).values_list("server", flat=True)[:1]


def where(queryset=None):
    (server,) = names(Note.objects.all() if queryset is None else queryset)
    return server


def write():
    return Note.objects.create(text="written")


def read(request):
    return where()


def write_and_read(request):
    write()
    return where()


def raw_write_and_read(request):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notes_note SET text = text")
    return where()


def read_in_transaction(request):
    with transaction.atomic():
        return where()


def follow(request):
    note = Note.objects.using("default").first()
    return where(Note.objects.db_manager(hints={"instance": note}).all())


def logged_in(request):
    found = {where(model.objects.all()) for model in (User, ContentType, Session)}
    return found.pop() if len(found) == 1 else "several"


def lock(request):
    with transaction.atomic():
        return where(Note.objects.select_for_update())


def validate(request):
    note = write()
    asked = []
    def note_query(execute, sql, params, many, context):
        asked.append(context["connection"].alias)
        return execute(sql, params, many, context)
    with contextlib.ExitStack() as stack:
        for alias in connections:
            stack.enter_context(connections[alias].execute_wrapper(note_query))
        try:
            Note(pk=note.pk, text="another").validate_unique()
        except ValidationError:
            return asked[0]
    return "no error"


def in_use_primary(request):
    with use_primary():
        return where()


def after_an_exception(request):
    try:
        with use_primary():
            raise KeyError
    except KeyError:
        return where()


def in_task(work):
    # A new thread has no state of the request, like a task or a command.
    found = []
    thread = threading.Thread(target=lambda: (found.append(work()), connections.close_all()))
    thread.start()
    thread.join()
    return found[0]


def task(request):
    return in_task(where)


def asking_task(request):
    return in_task(use_replica()(where))


def writing_task(request):
    def work():
        write()
        with use_replica():
            return where()
    return in_task(work)


async def async_read():
    return [server async for server in names(Note.objects.all())][0]


async def async_page(request):
    return HttpResponse(await async_read())


async def async_write(request):
    await asyncio.gather(Note.objects.acreate(text="written"))
    return HttpResponse(await async_read())


def same(request):
    found = {where() for _ in range(20)}
    return found.pop() if len(found) == 1 else "several"


def limit(request, seconds):
    settings.REPLICA_MAX_LAG_SECONDS, settings.REPLICA_RETRY_SECONDS = float(seconds), 0.5
    return "done"


def page(view):
    return lambda request, **words: HttpResponse(view(request, **words))


SYNC = (
    read, write_and_read, raw_write_and_read, read_in_transaction, follow, logged_in, lock, validate, in_use_primary,
    after_an_exception, task, asking_task, writing_task, same,
)
urlpatterns = [
    *(path(f"{view.__name__}/", page(view)) for view in SYNC),
    path("async_page/", async_page),
    path("async_write/", async_write),
    path("limit/<seconds>/", page(limit)),
    path("health/", health),
]
"""

PREPARE = """
import django
django.setup()
from users.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone
from notes.models import Note
Note.objects.create(text="first")
User.objects.create_user("ann")
Session.objects.create(session_key="x", session_data="", expire_date=timezone.now())
"""


class Visitor:
    """A visitor whose browser keeps cookies."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cookies: dict[str, str] = {}

    def sees(self, page: str) -> str:
        """Return the text of a page. A server's folder becomes its name in words."""
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=60)
        with contextlib.closing(connection):
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            connection.request("GET", f"/{page}/", headers={"Host": self.site.host, "Cookie": cookies})
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == 200, self.site.log.read_text()
        for header in answer.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.coded_value for name, morsel in SimpleCookie(header).items()}
        return {"default": PRIMARY, "replica": ONE, "replica_2": OTHER}.get(Path(text).name, text)


@pytest.fixture
def servers() -> Iterator[tuple[OwnPostgres, list[Standby]]]:
    """A primary and two standbys."""
    with replicated(2) as made:
        yield made


@pytest.fixture
def project(bake: Baker) -> Bake:
    """A project that reads from replicas."""
    return bake(
        primary_database="postgresql",
        secondary_database="none",
        read_replicas="yes",
        tenant_databases="none",
        django_version=DJANGO or "6.1",
    )


@pytest.fixture
def env(project: Bake, environment: Environments, servers: tuple[OwnPostgres, list[Standby]]) -> dict[str, str]:
    """The environment of production, after the primary was migrated and got the rows that pages read."""
    primary, standbys = servers
    primary.server.execute("CREATE DATABASE site")
    env = {
        **settings.production(project, lambda name: primary.server.url("site")),
        "REPLICA_DATABASE_URLS": ",".join(standby.server.url("site") for standby in standbys),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    tools = environment(project.answers["django_version"])
    project.run(tools, "python", "manage.py", "migrate", "-v0", env=env)
    project.run(tools, "python", "-c", PREPARE, env=env)
    for standby in standbys:
        standby.catch_up(primary)
    return env


def test_where_reads_go(  # noqa: PLR0915 - one story, a line for each row of the table
    project: Bake,
    env: dict[str, str],
    environment: Environments,
    servers: tuple[OwnPostgres, list[Standby]],
    request: pytest.FixtureRequest,
) -> None:
    primary, (first, second) = servers
    tools = environment(project.answers["django_version"])
    seen: list[Row] = []
    # One thread keeps its connections between requests, so state that leaks shows.
    with sites.serving(project, tools, PAGES, env, host="example.com", threads=False) as site:

        def saw(situation: str, page: str, why: str, visitor: Visitor | None = None, times: int = 20) -> None:
            found = {(visitor or Visitor(site)).sees(page) for _ in range(times)}
            both = {ONE, OTHER}
            where = REPLICA if found == both else " and ".join(sorted(found))
            seen.append((situation, where, why))

        def status(alias: str) -> dict[str, object]:
            found: dict[str, object] = json.loads(Visitor(site).sees("health"))["replicas"][alias]
            return found

        def lag_of(alias: str) -> float:
            return float(str(status(alias).get("lag_seconds") or 0))

        # From here on, no replica is skipped for lag.
        Visitor(site).sees("limit/3600")
        saw("a page", "read", "nothing requires the primary")
        assert {Visitor(site).sees("same") for _ in range(20)} == {ONE, OTHER}, "A request changes its replica."
        saw("a page, async", "async_page", "nothing requires the primary")
        saw("a page that has written", "write_and_read", "a replica may not have the write yet")
        saw("a page that has written by raw SQL", "raw_write_and_read", "writes are noticed at the connection")
        saw("a page that has written, async and in a task", "async_write", "tasks share the state of their request")
        saw("a page inside `atomic()`", "read_in_transaction", "only the primary has what is not committed")
        saw("a query that starts from an object of the primary", "follow", "related rows must be of one moment")
        saw("users, content types, sessions", "logged_in", "logins and permissions must be up to date")
        saw("`select_for_update()`", "lock", "only the primary can lock rows")
        saw("`validate_unique()` after a write", "validate", "it must see the write")
        saw("inside `use_primary()`", "in_use_primary", "the code asks for it")
        saw("after `use_primary()` was left by an exception", "after_an_exception", "the block has ended")
        saw("a command or task", "task", "the code does not ask for a replica")
        saw("a command or task inside `use_replica()`", "asking_task", "the code asks for it")

        first.pause()
        second.pause()
        saw("`use_replica()` in a task that has written, while all lag", "writing_task", "no replica has the write yet")
        ann = Visitor(site)
        ann.sees("write_and_read")
        saw(
            "the next page of a visitor who has written, while all lag",
            "read",
            "the cookie holds the position of the write",
            ann,
        )
        saw("a page of another visitor meanwhile", "read", "that visitor has written nothing")
        forger = Visitor(site)
        forger.cookies = {name: f"0{value}" for name, value in ann.cookies.items()}
        assert forger.cookies
        saw("a page of a visitor with a forged cookie", "read", "the cookie is signed", forger)
        second.resume()
        second.catch_up(primary)
        saw("the visitor's next page, when one has caught up", "read", "that replica has the write", ann)

        Visitor(site).sees("limit/0.5")
        wait_until(lambda: lag_of("replica") > 0.5)
        saw("one replica lags by more than `REPLICA_MAX_LAG_SECONDS`", "read", "it is skipped for some time")
        first.resume()
        first.catch_up(primary)
        wait_until(lambda: Visitor(site).sees("read") == ONE)
        saw("it has caught up again", "read", "it is tried again later")

        second.end()
        saw("one replica has stopped", "read", "it is skipped for some time")
        first.end()
        saw("all have stopped", "read", "the primary answers instead")
        second.start()
        wait_until(lambda: Visitor(site).sees("read") == OTHER)
        saw("one was started again", "read", "it is tried again later")
        second.promote()
        wait_until(lambda: not status("replica_2")["healthy"])
        saw("it was promoted", "read", "it no longer follows the primary")
        said = site.log.read_text()
    assert "The replica replica_2 cannot be used (NotAReplicaError)" in said
    assert "postgresql://" not in said
    # The pool's own logger tells addresses. Ours tells none.
    ours = [line for line in said.splitlines() if "cannot be used" in line]
    assert ours
    assert not [line for line in ours if str(first.folder.parent) in line]

    with sites.serving(
        project, tools, PAGES, {**env, "REPLICA_DATABASE_URLS": ""}, host="example.com", threads=False
    ) as site:
        seen.append(("there are no replicas", Visitor(site).sees("read"), "the primary is the only database"))
        assert Visitor(site).sees("asking_task") == PRIMARY

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = reads.put_into(readme, seen)
    if request.config.getoption("--update-reads"):
        (ROOT / "README.md").write_text(shown, encoding="utf-8")
    assert reads.table(seen) in readme or request.config.getoption("--update-reads"), f"{shown}\n{UPDATE}"


def test_no_visitor_who_has_written_reads_stale_rows(
    project: Bake, env: dict[str, str], environment: Environments, servers: tuple[OwnPostgres, list[Standby]]
) -> None:
    tools = environment(project.answers["django_version"])
    stale, from_replica = pairs.run(project, tools, env, servers[1], PAIRS, check=True)
    print(f"{stale} stale reads in {PAIRS} pairs, {from_replica} of them from a replica")
    assert stale == 0
    assert from_replica > 0
    # The control: without the check of positions the same visitors read stale rows.
    stale, from_replica = pairs.run(project, tools, env, servers[1], PAIRS, check=False)
    print(f"Without the check: {stale} stale reads")
    assert 0 < stale <= from_replica
