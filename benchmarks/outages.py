"""What pages answer, and after how many seconds, while one database server after the other is stopped and then frozen.

Each database of a project with every role is on a separate PostgreSQL server. gunicorn serves the project. A stopped
server refuses connections; a frozen one (SIGSTOP) keeps them open, accepts new ones, and says nothing.
"""

import argparse
import contextlib
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.support import commands, settings, standbys, web_servers
from tests.support.bakes import Bake
from tests.support.own_postgres import running, wait_until
from tests.support.servers import Server
from tests.support.template import ROOT
from tests.support.upstream import MAKE_TABLES

ANSWERS = {
    "project_slug": "bench",
    "primary_database": "postgresql",
    "secondary_database": "mirror-and-writable",
    "read_replicas": "yes",
    "tenant_databases": "managed",
    "django_version": "6.1",
}
SERVERS = ["primary", "secondary", "mirror", "replica", "tenants"]
#: By page, who asks for it and how.
PAGES = {
    "no database": ("nothing/", "GET", "example.com"),
    "read a note": ("read/", "GET", "example.com"),
    "write a note": ("write/", "POST", "example.com"),
    "write an event": ("event/", "POST", "example.com"),
    "read the mirror": ("mirror/", "GET", "example.com"),
    "a tenant": ("tenant/", "GET", "acme.example.com"),
}
#: Seconds.
GIVE_UP = 20
VIEWS = """
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from accounts.models import Organisation
from events.models import Event
from notes.models import Note
from projects.models import DataPoint

settings.ROOT_URLCONF = "bench_pages"
DOES = {
    "nothing": lambda: None,
    "read": Note.objects.count,
    "write": lambda: Note.objects.create(text="x"),
    "event": lambda: Event.objects.create(action="x", note_id=1),
    "mirror": Organisation.objects.count,
    "tenant": DataPoint.objects.count,
}

def view(name):
    return csrf_exempt(lambda request: HttpResponse(str(DOES[name]())))

urlpatterns = [path(f"{name}/", view(name)) for name in DOES]
"""


def make_site(folder: Path) -> Bake:
    """Bake the project, and give it the pages above."""
    answers = [f"{key}={value}" for key, value in ANSWERS.items()]
    commands.run([commands.COOKIECUTTER, "--no-input", "-o", folder, ROOT, *answers], cwd=folder)
    site = Bake(folder / "bench", ANSWERS)
    site.write("bench_pages.py", VIEWS)
    site.write("config/wsgi.py", f"{site.read('config/wsgi.py')}\nimport bench_pages\n")
    return site


def ask(serving: Server, page: str) -> tuple[int, float]:
    """Return the status of a page, or 0 if there is no answer within `GIVE_UP`, and the seconds that it took."""
    path, method, host = PAGES[page]
    url = f"http://127.0.0.1:{serving.port}/{path}"
    request = urllib.request.Request(url, method=method, headers={"Host": host})
    start = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=GIVE_UP) as answer:  # noqa: S310
            status = int(answer.status)
    except urllib.error.HTTPError as error:
        status = error.code
    except TimeoutError:
        status = 0
    return status, time.perf_counter() - start


def settled(serving: Server) -> bool:
    """Return whether every page is served, by whichever process."""
    return all(ask(serving, page)[0] == 200 for page in PAGES for _ in range(4))


def told(status: int, took: float) -> str:
    """Return the cell of one answer."""
    if not status:
        return f"none in {GIVE_UP} s"
    return f"{status} ({took:.1f} s)" if took >= 0.1 else str(status)


def row(serving: Server, name: str, state: str) -> str:
    """Ask for each page twice, and return a row of the table: each status, with the seconds if they are 0.1 or more."""
    cells = []
    for page in PAGES:
        found = [ask(serving, page) for _ in range(2)]
        cells.append(", ".join(told(*each) for each in found))
    return f"| {name} | {state} | {' | '.join(cells)} |"


def main() -> None:
    """Stop and freeze each server in turn, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=SERVERS, action="append")
    chosen = parser.parse_args().only or SERVERS
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        site = make_site(folder)
        own = ["primary", "secondary", "mirror", "tenants"]
        servers = {each: stack.enter_context(running(folder / each, standbys.AT_ONCE)) for each in own}
        urls = {each: servers[each].server.create("site") for each in own}
        tools = web_servers.environment(site)
        production = {
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": "example.com,.example.com",
            "SITE_DOMAIN": "example.com",
            "DATABASE_URL": urls["primary"],
            "SECONDARY_DATABASE_URL": urls["secondary"],
            "MIRROR_DATABASE_URL": urls["mirror"],
            "TENANT_DATABASE_URL": urls["tenants"].replace("/site", "/{name}"),
        }
        tests = {"DJANGO_SETTINGS_MODULE": "config.settings_test", "TEST_DATABASE_URL": urls["mirror"]}
        site.run(tools, "python", "-c", MAKE_TABLES, "accounts", "materials", env=tests)
        for command in ("migrate_databases", "create_tenant acme"):
            site.run(tools, "python", "manage.py", *command.split(), env=production)
        servers["replica"] = standbys.copied(servers["primary"], folder / "replica")
        stack.callback(servers["replica"].end)
        production["REPLICA_DATABASE_URLS"] = servers["replica"].server.url("site")
        print("| server | state |", " | ".join(PAGES), "|")
        print("|---|---|", "---|" * len(PAGES), sep="")
        with web_servers.serving("gunicorn", site, tools, production) as serving:
            serving.page("example.com", "/nothing/")
            for server in chosen:
                wait_until(lambda: settled(serving))
                with servers[server].frozen():
                    print(row(serving, server, "frozen"), flush=True)
                wait_until(lambda: settled(serving))
                servers[server].crash()
                print(row(serving, server, "stopped"), flush=True)
                servers[server].start()


if __name__ == "__main__":
    main()
