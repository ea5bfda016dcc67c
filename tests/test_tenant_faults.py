"""Servers of a fleet stop, crash and freeze, one at a time: other tenants are served, and no row is lost."""

import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import own_postgres, settings, sites
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import OwnPostgres, wait_until
from tests.support.sites import Site
from tests.support.variants import DJANGO

Environments = Callable[[str], Environment]

#: Each page asks the registry.
PAGES = """
from django.conf import settings
from django.db import connections
from django.http import HttpResponse
from django.urls import path
from databases.tenants import current_tenant
from notes.models import Note
from projects.models import DataPoint

settings.TENANT_CACHE_SECONDS = 0

def central(request):
    return HttpResponse(str(Note.objects.count()))

def points(request):
    return HttpResponse(" ".join(DataPoint.objects.order_by("name").values_list("name", flat=True)))

def add(request):
    DataPoint.objects.create(name=request.GET["name"], value=1)
    return HttpResponse("added")

def slow(request):
    with connections[current_tenant().alias].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    return HttpResponse()

urlpatterns = [path(f"{view.__name__}/", view) for view in (central, points, add, slow)]
"""
#: Creates a table, then waits while a file exists that holds the address of its server.
MIGRATION = """
from pathlib import Path
from django.db import migrations

def wait(apps, schema_editor):
    address = Path("waits")
    with schema_editor.connection.cursor() as cursor:
        while address.exists() and address.read_text() in str(schema_editor.connection.get_connection_params()):
            cursor.execute("SELECT pg_sleep(0.05)")

class Migration(migrations.Migration):
    dependencies = [("projects", "{before}")]
    operations = [migrations.RunSQL("CREATE TABLE ours (id int)"), migrations.RunPython(wait)]
"""
UNAVAILABLE = (503, "300")
#: Pages that are asked for at the same time while their server is frozen.
FROZEN_PAGES = 6


class Place:
    """A project in production, the server of its registry, and two servers of tenants."""

    def __init__(self, project: Bake, tools: Environment, servers: dict[str, OwnPostgres]) -> None:
        self.project = project
        self.tools = tools
        self.servers = servers
        self.env = {
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": "example.com,.example.com",
            "SITE_DOMAIN": "example.com",
            "SECURE_SSL_REDIRECT": "off",
            "DATABASE_URL": servers["registry"].server.create("registry"),
            "TENANT_DATABASE_URL": url(servers["one"]),
            "TENANT_SERVERS": f"two={url(servers['two'])}",
            "TENANT_PASSWORD_KEYS": settings.PASSWORD_KEY,
        }

    def manage(self, *words: str, code: int | None = 0) -> str:
        """Run a command, and return its output."""
        return self.project.run(self.tools, "python", "manage.py", *words, env=self.env, code=code)

    def crash_in_migration(self, name: str, *words: str) -> str:
        """Run a command while a server crashes in the middle of a migration; return the output of the failure."""
        server, flag, said = self.servers[name], self.project.path / "waits", []
        file = "projects/migrations/0099_waits.py"
        if not (self.project.path / file).exists():
            last = max(file.stem for file in (self.project.path / "projects/migrations").glob("0*.py"))
            self.project.write(file, MIGRATION.format(before=last))
        flag.write_text(str(server.folder))
        running = threading.Thread(target=lambda: said.append(self.manage(*words, code=None)))
        running.start()
        wait_until(lambda: server.waits_for("PgSleep") or not running.is_alive())
        server.crash()
        running.join()
        flag.unlink()
        server.start()
        assert "CommandError: " in said[0], said[0]
        return said[0]


def url(server: OwnPostgres) -> str:
    """Return the URL of the tenants' databases on a server."""
    return server.server.url("{name}").replace("%7B", "{").replace("%7D", "}")


@pytest.fixture(scope="module")
def place(
    baked: Baker,
    environment: Environments,
    shared: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    version = {"django_version": DJANGO} if DJANGO else {}
    answers = {"primary_database": "postgresql", "secondary_database": "none", "tenant_databases": "fleet"}
    project = baked(**answers, **version).copy(tmp_path_factory.mktemp("faults"))
    # New servers each time: xdist may make one worker run this module twice.
    folder = Path(tempfile.mkdtemp(dir=shared))
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(own_postgres.running(folder / name)) for name in ("registry", "one", "two")
        }
        made = Place(project, environment(project.answers["django_version"]), servers)
        made.manage("migrate", "--verbosity", "0")
        made.manage("create_tenant", "acme", "--server", "default")
        made.manage("create_tenant", "horza", "--server", "two")
        made.manage("create_tenant", "chell", "--server", "two")
        yield made


@pytest.fixture
def site(place: Place) -> Iterator[Site]:
    with sites.serving(place.project, place.tools, PAGES, place.env, host="example.com", threads=True) as found:
        yield found


def test_tenants_of_other_servers_are_served_while_one_is_down(place: Place, site: Site) -> None:
    one = place.servers["one"]

    def ask(page: str, slug: str) -> tuple[int, str]:
        return site.ask(page, f"{slug}.example.com")

    def check_others() -> None:
        assert ask("points/", "horza") == (200, "orbit"), site.log.read_text()
        assert site.ask("central/") == (200, "0")

    assert ask("add/?name=cake", "acme") == ask("add/?name=orbit", "horza") == (200, "added"), site.log.read_text()
    one.crash()
    assert ask("points/", "acme") == UNAVAILABLE, site.log.read_text()
    check_others()
    one.start()
    assert ask("points/", "acme") == (200, "cake")

    # It crashes during a query.
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(ask("slow/", "acme")))
    asking.start()
    wait_until(lambda: one.waits_for("PgSleep"))
    one.crash()
    asking.join()
    assert answers == [UNAVAILABLE], site.log.read_text()
    check_others()
    one.start()
    assert ask("add/?name=pie", "acme") == (200, "added")
    assert ask("points/", "acme") == (200, "cake pie")

    # It accepts connections and does not answer: its tenants' pages wait until the time limit, and no other page waits.
    one.crash()
    one.start()
    one.signal(signal.SIGSTOP)
    asking = threading.Thread(target=lambda: answers.append(ask("points/", "acme")))
    asking.start()
    check_others()
    asking.join()
    assert answers == [UNAVAILABLE, UNAVAILABLE], site.log.read_text()
    one.signal(signal.SIGCONT)
    assert ask("points/", "acme") == (200, "cake pie")

    # Its sessions freeze too, also those that are idle.
    with one.frozen(), ThreadPoolExecutor(FROZEN_PAGES) as clients:
        asked = [clients.submit(ask, "points/", "acme") for _ in range(FROZEN_PAGES)]
        check_others()
        assert not any(page.done() for page in asked), "A page that needs the frozen server has answered already."
        found = [page.result() for page in asked]
    print(FROZEN_PAGES, "pages that need a frozen server:", Counter(status for status, _ in found))
    assert found == [UNAVAILABLE] * FROZEN_PAGES, site.log.read_text()
    wait_until(lambda: ask("points/", "acme") == (200, "cake pie"))


def test_known_tenants_are_served_while_the_registry_is_down(place: Place, site: Site) -> None:
    registry = place.servers["registry"]
    before = {slug: site.ask("points/", f"{slug}.example.com") for slug in ("acme", "horza")}
    registry.crash()
    try:
        for _ in range(3):
            for slug, answer in before.items():
                assert site.ask("points/", f"{slug}.example.com") == answer, site.log.read_text()
        assert site.ask("add/?name=while-it-was-down", "horza.example.com") == (200, "added")
        # Its row is not cached, because no request has asked for this tenant yet.
        assert site.ask("points/", "chell.example.com") == UNAVAILABLE
    finally:
        registry.start()
    # After a failure the registry is asked again at intervals, not for each request.
    wait_until(lambda: site.ask("points/", "chell.example.com") == (200, ""))
    assert site.ask("central/") == (200, "0")
    assert "while-it-was-down" in site.ask("points/", "horza.example.com")[1]


def test_known_tenants_are_served_while_the_registry_hangs(place: Place, site: Site) -> None:
    before = {slug: site.ask("points/", f"{slug}.example.com") for slug in ("acme", "horza")}
    assert all(status == 200 for status, _ in before.values()), site.log.read_text()
    seconds = []
    with place.servers["registry"].frozen(), ThreadPoolExecutor(1) as clients:
        # A page that needs the registry's database waits for the limits of `databases/serving.py`.
        central = clients.submit(site.ask, "central/")
        for _ in range(5):
            for slug, answer in before.items():
                begun = time.monotonic()
                assert site.ask("points/", f"{slug}.example.com") == answer, site.log.read_text()
                seconds.append(time.monotonic() - begun)
        assert site.ask("points/", "chell.example.com") == UNAVAILABLE
        assert not central.done(), "Tenants' pages waited for longer than TENANT_REGISTRY_SECONDS."
        assert central.result()[0] == 500
    print(f"While the registry hangs, {len(seconds)} pages of known tenants took at most {max(seconds):.2f} seconds.")
    wait_until(lambda: site.ask("points/", "chell.example.com")[0] == 200)
    wait_until(lambda: site.ask("central/") == (200, "0"))
    assert {slug: site.ask("points/", f"{slug}.example.com") for slug in before} == before


def test_a_crash_in_a_migration_fails_only_the_tenants_of_that_server(place: Place) -> None:
    one = place.servers["one"].server
    said = place.crash_in_migration("one", "migrate_tenants")
    assert "acme: failed" in said, said
    assert "horza: done" in said, said
    assert "1 of 3 tenants failed: acme" in said, said
    assert "ours" not in one.tables("tenant_acme")
    assert "acme: done" in place.manage("migrate_tenants")
    assert "ours" in one.tables("tenant_acme")


def test_a_crash_while_a_tenant_is_created_leaves_it_pending(place: Place) -> None:
    said = place.crash_in_migration("two", "create_tenant", "unlucky", "--server", "two")
    assert "unlucky" in said
    assert "unlucky\tpending\ttwo" in place.manage("list_tenants")
    assert "unlucky: active" in place.manage("create_tenant", "unlucky", "--server", "two")
    assert "ours" in place.servers["two"].server.tables("tenant_unlucky")
