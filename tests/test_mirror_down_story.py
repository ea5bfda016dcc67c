"""The mirror's server stops, crashes, hangs and is slow while a project serves pages."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import own_postgres, settings, sites
from tests.support.environments import Environment
from tests.support.own_postgres import OwnPostgres, wait_until
from tests.support.sites import Site
from tests.support.upstream import MAKE_TABLES
from tests.support.variants import DJANGO

Environments = Callable[[str], Environment]

PAGES = """
from django.db import connections
from django.http import HttpResponse, StreamingHttpResponse
from django.template import Context, Template
from django.urls import path
from accounts.models import Organisation
from notes.models import Note

SLEEP = "SELECT id, name, pg_sleep(60) FROM accounts_organisation"

def notes(request):
    return HttpResponse(str(Note.objects.count()))

def organisations(request):
    # Evaluated by the template.
    template = Template("{{ organisations }}")
    return HttpResponse(template.render(Context({"organisations": Organisation.objects.all()})))

def slow(request):
    if limit := request.GET.get("limit"):
        with connections["mirror"].cursor() as cursor:
            cursor.execute("SET statement_timeout = %s", [int(limit)])
    return HttpResponse(str(list(Organisation.objects.raw(SLEEP))))

def stream(request):
    def parts():
        yield "begun"
        yield str(Organisation.objects.count())
    return StreamingHttpResponse(parts())

urlpatterns = [path(f"{view.__name__}/", view) for view in (notes, organisations, slow, stream)]
"""


@pytest.fixture
def upstream(shared: Path, worker_id: str) -> Iterator[OwnPostgres]:
    """The other application's server, running."""
    with own_postgres.running(shared / f"upstream-{worker_id}") as made:
        yield made


@pytest.fixture
def site(bake: Baker, environment: Environments, upstream: OwnPostgres, tmp_path: Path) -> Iterator[Site]:
    """A project in production, migrated and started while the mirror's server is down."""
    version = {"django_version": DJANGO} if DJANGO else {}
    project = bake(secondary_database="read-only-mirror", primary_database="postgresql", **version)
    tools = environment(project.answers["django_version"])
    url = upstream.server.create("upstream")
    making = {"DJANGO_SETTINGS_MODULE": "config.settings_test", "TEST_DATABASE_URL": url}
    project.run(tools, "python", "-c", MAKE_TABLES, "accounts", "materials", env=making)
    upstream.server.execute("INSERT INTO accounts_organisation (name) VALUES ('theirs')", "upstream")
    upstream.crash()

    production = {
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "example.com",
        "SECURE_SSL_REDIRECT": "off",
        "DATABASE_URL": settings.sqlite(tmp_path)("primary"),
        "MIRROR_DATABASE_URL": f"{url}&connect_timeout=2",
    }
    for command in ("check", "migrate", "makemigrations --check"):
        project.run(tools, "python", "manage.py", *command.split(), env=production)
    with sites.serving(project, tools, PAGES, production, host="example.com", threads=False) as found:
        yield found


UNAVAILABLE = (503, "10")


def test_pages_that_need_the_mirror_answer_503_and_others_are_served(site: Site, upstream: OwnPostgres) -> None:
    unavailable: list[str] = []

    def ask(page: str) -> tuple[int, str]:
        answer = site.ask(page)
        if answer == UNAVAILABLE:
            unavailable.append(page)
        return answer

    def check(available: bool) -> None:
        """Check the next answers. No page waits for the mirror."""
        status, text = ask("organisations/")
        assert (status, "theirs" in text or text) == ((200, True) if available else UNAVAILABLE), site.log.read_text()
        assert site.ask("notes/") == (200, "0")

    check(available=False)
    # A streamed response sends its status before its first query.
    assert site.ask("stream/") == (200, "begun")
    upstream.start()
    check(available=True)
    check(available=True)
    upstream.crash()
    upstream.start()
    check(available=True)
    upstream.crash()
    check(available=False)
    check(available=False)
    upstream.start()
    check(available=True)

    # It crashes during a query.
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(ask("slow/?limit=50000")))
    asking.start()
    wait_until(lambda: upstream.waits_for("PgSleep"))
    upstream.crash()
    asking.join()
    assert answers == [UNAVAILABLE]
    check(available=False)
    upstream.start()
    check(available=True)

    # It accepts connections and does not answer. Sessions that are open already continue, then freeze too.
    rows = upstream.server.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'upstream'")
    sessions = [int(str(pid)) for (pid,) in rows]
    assert sessions
    upstream.signal(signal.SIGSTOP)
    check(available=True)
    for session in sessions:
        os.kill(session, signal.SIGSTOP)
    check(available=False)
    for session in sessions:
        os.kill(session, signal.SIGCONT)
    upstream.signal(signal.SIGCONT)
    wait_until(lambda: ask("organisations/")[0] == 200)

    # A query exceeds its time limit.
    assert ask("slow/?limit=100") == UNAVAILABLE
    check(available=True)

    log = site.log.read_text()
    assert "A page needs 'mirror', which is unavailable (QueryCanceled)" in log
    ours = [line for line in log.splitlines() if "is unavailable" in line]
    assert len(ours) == len(unavailable) >= 7, log
    assert not [line for line in ours if str(upstream.folder) in line]
