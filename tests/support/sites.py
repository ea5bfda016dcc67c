"""A project that serves the pages of a test in a separate process, as a worker of a web server does."""

import contextlib
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support import commands
from tests.support.bakes import Bake
from tests.support.environments import Environment

SERVE = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server
from django.conf import settings
settings.ROOT_URLCONF = "story_pages"
from config.wsgi import application

class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True

server = make_server("127.0.0.1", 0, application, server_class={server_class})
print(server.server_port, flush=True)
server.serve_forever()
"""


class Site:
    """A project that serves its pages, and its log."""

    def __init__(self, port: int, log: Path, host: str) -> None:
        self.port = port
        self.log = log
        self.host = host

    def ask(self, page: str, host: str = "") -> tuple[int, str]:
        """Return the status of a page, and its text; with an error status, its `Retry-After` header or nothing."""
        headers = {"Host": host or self.host}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{page}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=50) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Retry-After"] or ""


@contextlib.contextmanager
def serving(
    project: Bake, tools: Environment, pages: str, env: Mapping[str, str], *, host: str, threads: bool
) -> Iterator[Site]:
    """Serve a project with these pages, the text of a URLconf. With `threads`, each request has a new thread;
    without, all share one thread, which keeps its connections.
    """
    project.write("story_pages.py", pages)
    log = project.path.parent / "site.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [tools.python, "-c", SERVE.format(server_class="Threaded" if threads else "WSGIServer")],
            cwd=project.path,
            env={**commands.clean_environment(), **env, "DJANGO_SETTINGS_MODULE": "config.settings"},
            stdout=subprocess.PIPE,
            stderr=output,
        )
        assert process.stdout
        try:
            port = process.stdout.readline()
            assert port, log.read_text()
            yield Site(int(port), log, host)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
