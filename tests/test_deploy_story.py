"""Three releases are deployed to a served site, and one is rolled back: no request fails, and no write is lost."""

import contextlib
import itertools
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Baker
from tests.support import own_postgres, settings, web_servers
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import OwnPostgres, wait_until
from tests.support.servers import Server
from tests.support.variants import DJANGO

SLUGS = ("acme", "chell", "horza")
HOSTS = ("example.com", *(f"{slug}.example.com" for slug in SLUGS))
PAGES = ("add", "names")
CLIENTS = 3
PAUSE_SECONDS = 0.08
#: By app, the model, and the column that the second release replaces: its name, the new one's, and the length.
COLUMNS = {
    "notes": ("note", "text", "body", 200),
    "events": ("event", "action", "verb", 50),
    "projects": ("datapoint", "name", "label", 100),
}
OLD, NEW = ({app: column[index] for app, column in COLUMNS.items()} for index in (1, 2))
#: By release, the columns that it has, in the order in which it looks for a value.
RELEASES = {1: (OLD,), 2: (NEW, OLD), 3: (NEW,)}
URLS = """
import json
from django.http import HttpResponse
from django.urls import path
from databases import atomic_for
from events.models import Event
from notes.models import Note
from projects.models import DataPoint

COLUMNS = {columns}

def named(app, name):
    return {{each[app]: name for each in COLUMNS}}

def add(request):
    name = request.GET["name"]
    if request.tenant:
        DataPoint.objects.create(value=1, **named("projects", name))
    else:
        with atomic_for(Note):
            note = Note.objects.create(**named("notes", name))
            with atomic_for(Event):
                Event.objects.create(note_id=note.pk, **named("events", name))
    return HttpResponse()

def names(request):
    found = []
    models = {{"projects": DataPoint}} if request.tenant else {{"notes": Note, "events": Event}}
    for app, model in models.items():
        for row in model.objects.order_by("-pk")[:20]:
            found.append(next(filter(None, (getattr(row, each[app]) for each in COLUMNS)), None))
    assert None not in found
    return HttpResponse(json.dumps(found))

urlpatterns = [path("add/", add), path("names/", names)]
"""
#: Old processes write rows without the new column, and the processes of the next release without the old one.
EXPAND = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("{app}", "0001_initial")]
    operations = [
        migrations.AddField("{model}", "{new}", models.CharField(max_length={length}, db_default="")),
        migrations.AlterField("{model}", "{old}", models.CharField(max_length={length}, db_default="")),
    ]
"""
CONTRACT = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("{app}", "0002_expand")]
    operations = [migrations.RemoveField("{model}", "{old}")]
"""
CREATE = f"""
import django
django.setup()
from django.core.management import call_command
for slug in {SLUGS}:
    call_command("create_tenant", slug)
"""
FILL = f"""
import django
django.setup()
from django.db.models import F
from databases.tenants import use_tenant
from events.models import Event
from notes.models import Note
from projects.models import DataPoint
Note.objects.filter(body="").update(body=F("text"))
Event.objects.filter(verb="").update(verb=F("action"))
for slug in {SLUGS}:
    with use_tenant(slug):
        DataPoint.objects.filter(label="").update(label=F("name"))
"""
#: Seconds for which migrations wait for a lock in this story.
LOCK_SECONDS = 2.0
#: The modes of the locks of a table for which sessions wait.
WAITING = """
SELECT mode FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE datname = current_database() AND relation = '{table}'::regclass AND NOT granted
"""


def make_release(project: Bake, number: int) -> Bake:
    """Turn a project into a release of this story."""
    project.write("config/urls.py", URLS.format(columns=RELEASES[number]))
    for app, (model, old, new, length) in COLUMNS.items():
        # They name columns of the first release.
        project.write(f"{app}/admin.py", "")
        before = f"    {old} = models.CharField(max_length={length})\n"
        models = project.read(f"{app}/models.py")
        assert before in models
        fields = [
            f'    {each[app]} = models.CharField(max_length={length}, db_default="")\n' for each in RELEASES[number]
        ]
        if number > 1:
            values = {"app": app, "model": model, "old": old, "new": new, "length": length}
            project.write(
                f"{app}/models.py", models.replace(before, "".join(fields)).replace(f"self.{old}", f"self.{new}")
            )
            project.write(f"{app}/migrations/0002_expand.py", EXPAND.format(**values))
            if number > 2:
                project.write(f"{app}/migrations/0003_contract.py", CONTRACT.format(**values))
    if number == 3:
        # It serves tenants that still have the old column.
        change(
            project,
            "config/databases.py",
            "TENANT_OLDEST_MIGRATIONS: dict[str, str | None] = {}",
            'TENANT_OLDEST_MIGRATIONS: dict[str, str | None] = {"projects": "0002_expand"}',
        )
    change(project, "databases/lock_timeout.py", "LOCK_SECONDS = 5.0", f"LOCK_SECONDS = {LOCK_SECONDS}")
    return project


def change(project: Bake, file: str, old: str, new: str) -> None:
    """Replace a text that occurs once in a file."""
    text = project.read(file)
    assert text.count(old) == 1, (file, old)
    project.write(file, text.replace(old, new))


class Load:
    """Clients who read and write pages of all hosts, at all processes that serve."""

    def __init__(self, *serving: Server) -> None:
        self.serving = serving
        self.failures: Counter[tuple[str, str, object]] = Counter()
        #: By host, the names that a page has accepted.
        self.accepted: dict[str, set[str]] = {host: set() for host in HOSTS}
        self._turns = [0] * CLIENTS
        self._ended = threading.Event()

    @contextlib.contextmanager
    def asked(self) -> Iterator[None]:
        """Within the block, let all clients ask."""
        threads = [threading.Thread(target=self._ask, args=[number]) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def serve(self, *serving: Server) -> None:
        """Send requests to these processes, and return when each has answered each page, and no other one is asked."""
        self.serving = serving
        self.wait_for_a_round()

    def wait_for_a_round(self) -> None:
        """Wait until every client has asked for every page again."""
        # One more, because a request may be under way.
        enough = [turns + len(HOSTS) * len(PAGES) * (len(self.serving) + 1) + 1 for turns in self._turns]
        wait_until(lambda: all(turns >= least for turns, least in zip(self._turns, enough, strict=True)))

    def _ask(self, number: int) -> None:
        for turn, (host, page) in enumerate(itertools.cycle(itertools.product(HOSTS, PAGES))):
            if self._ended.wait(PAUSE_SECONDS):
                return
            serving = self.serving
            site = serving[turn // (len(HOSTS) * len(PAGES)) % len(serving)]
            name = f"{site.port}-{id(self)}-{number}-{turn}"
            request = urllib.request.Request(
                f"http://127.0.0.1:{site.port}/{page}/?name={name}", headers={"Host": host}
            )
            try:
                with urllib.request.urlopen(request, timeout=50):  # noqa: S310
                    if page == "add":
                        self.accepted[host].add(name)
            except urllib.error.HTTPError as error:
                self.failures[host, page, error.code] += 1
            except OSError as error:
                self.failures[host, page, str(error)] += 1
            self._turns[number] += 1


class Deploys:
    """A site of three releases and its databases."""

    def __init__(self, releases: list[Bake], tools: Environment, server: OwnPostgres) -> None:
        self.releases = dict(enumerate(releases, start=1))
        self.tools = tools
        self.server = server
        self.env = {
            **settings.production(releases[0], lambda name: server.server.url(name).replace("%7Bname%7D", "{name}")),
            "ALLOWED_HOSTS": ".example.com",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        for name in ("site", "second"):
            server.server.create(name)

    def run(self, release: int, *words: str, code: int | None = 0) -> str:
        """Run Python with the code of a release, and return what it says."""
        return self.releases[release].run(self.tools, "python", *words, env=self.env, code=code)

    def manage(self, release: int, *words: str, code: int | None = 0) -> str:
        """Run a command of a release, and return what it says."""
        return self.run(release, "manage.py", *words, code=code)

    @contextlib.contextmanager
    def serving(self, release: int) -> Iterator[Server]:
        """Serve a release within the block, which begins when it answers."""
        with web_servers.serving("gunicorn", self.releases[release], self.tools, self.env, "--workers=1") as site:
            site.page(HOSTS[0], "/names/")
            yield site

    def waiting(self, database: str, table: str) -> set[str]:
        """Return the modes of locks of a table for which sessions wait."""
        return {str(mode) for (mode,) in self.server.server.execute(WAITING.format(table=table), database)}

    def migrate_behind_a_long_transaction(self, database: str, table: str, load: Load, *words: str) -> str:
        """Run a command of the second release that fails, because a transaction reads the table. Return what it says.

        Requests that wait behind its lock are answered although the transaction goes on.
        """
        said: list[str] = []
        with psycopg.connect(self.server.server.url(database)) as reader:
            # A migration that waited as long would be noticed, and not end this test.
            reader.execute("SET idle_in_transaction_session_timeout = '120s'")
            reader.execute(f"SELECT * FROM {table} LIMIT 1".encode())  # noqa: S608
            running = threading.Thread(target=lambda: said.append(self.manage(2, *words, code=None)))
            running.start()
            wait_until(lambda: "AccessExclusiveLock" in (found := self.waiting(database, table)) and len(found) > 1)
            running.join()
            assert self.waiting(database, table) == set()
            load.wait_for_a_round()
            assert reader.info.transaction_status.name == "INTRANS"
        assert f"another transaction kept a table locked for longer than {LOCK_SECONDS:g} s" in said[0], said
        return said[0]


@pytest.fixture
def deploys(bake: Baker, tmp_path: Path) -> Iterator[Deploys]:
    """The releases of this story, and databases in which the first one has run."""
    releases = [
        make_release(
            bake(
                primary_database="postgresql",
                secondary_database="writable",
                tenant_databases="managed",
                django_version=DJANGO or "6.1",
            ),
            number,
        )
        for number in RELEASES
    ]
    with own_postgres.running(tmp_path / "server") as server:
        made = Deploys(releases, web_servers.environment(releases[0]), server)
        made.manage(1, "migrate_databases")
        made.run(1, "-c", CREATE)
        yield made


def test_no_request_fails_and_no_write_is_lost(deploys: Deploys) -> None:
    manage = deploys.manage
    with contextlib.ExitStack() as stack:
        # They end after the clients.
        olds, twos, threes = (stack.enter_context(contextlib.ExitStack()) for _ in range(3))
        one = olds.enter_context(deploys.serving(1))
        load = Load(one)
        stack.enter_context(load.asked())
        load.wait_for_a_round()

        # Expand: the first release is served from databases with the new columns, and from tenants without them.
        said = deploys.migrate_behind_a_long_transaction(
            "site", "notes_note", load, "migrate_databases", "default", "secondary"
        )
        assert "secondary: 1 applied" in said
        assert manage(2, "migrate_databases", "default", "secondary").splitlines() == [
            "Migrating default, secondary …",
            "default: 1 applied",
            "secondary: up to date",
        ]
        waves = ("migrate_tenants", "--wave", "acme,10%,rest")
        said = deploys.migrate_behind_a_long_transaction("tenant_acme", "projects_datapoint", load, *waves)
        assert "1 of 3 tenants failed: acme; the other 2 were not started" in said
        assert re.findall(r"(\w+): done", manage(2, *waves)) == [*SLUGS]
        load.wait_for_a_round()

        # Both releases, the second one, and back again.
        two = twos.enter_context(deploys.serving(2))
        load.serve(one, two)
        load.serve(two)
        olds.close()
        one = olds.enter_context(deploys.serving(1))
        load.serve(two, one)
        load.serve(one)
        twos.close()
        manage(2, "tenant_command", "--all", "migrate", "projects", "0001")
        manage(2, "migrate", "events", "0001", "--database", "secondary")
        manage(2, "migrate", "notes", "0001")
        load.wait_for_a_round()

        # And forwards: all at once this time.
        assert manage(2, "migrate_databases").count(": 1 applied") == 2 + len(SLUGS)
        two = twos.enter_context(deploys.serving(2))
        load.serve(one, two)
        load.serve(two)
        olds.close()
        deploys.run(2, "-c", FILL)

        # Contract: the third release is served from databases that still have the old columns.
        three = threes.enter_context(deploys.serving(3))
        load.serve(two, three)
        load.serve(three)
        manage(3, "migrate_databases", "default", "secondary")
        manage(3, *waves)
        load.wait_for_a_round()

        # The control: a process of the second release is still there.
        late = Load(two)
        with late.asked():
            late.wait_for_a_round()
        assert {(host, page) for host, page, status in late.failures if status == 500} == {
            *itertools.product(HOSTS, PAGES)
        }
    assert load.failures == Counter()
    check_rows(deploys, load)


def check_rows(deploys: Deploys, load: Load) -> None:
    """Check that every name that a page has accepted is in its tables, once."""
    tables = {host: {f"tenant_{slug}": "projects"} for slug, host in zip(SLUGS, HOSTS[1:], strict=True)}
    for host, apps in {**tables, HOSTS[0]: {"site": "notes", "second": "events"}}.items():
        for database, app in apps.items():
            model, _, new, _ = COLUMNS[app]
            rows = deploys.server.server.execute(f"SELECT {new} FROM {app}_{model}", database)  # noqa: S608
            assert sorted(str(name) for (name,) in rows) == sorted(load.accepted[host]), database
        assert load.accepted[host]
    print({host: len(names) for host, names in load.accepted.items()}, "writes")
