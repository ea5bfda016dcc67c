"""Visitors of a project with replicas, whose pages say which server answered."""

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie

from tests.support import sites
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.own_postgres import wait_until
from tests.support.reads import Row
from tests.support.replica_pages import PAGES
from tests.support.sites import Site

PRIMARY, REPLICA, ONE, OTHER = "the primary", "a replica", "the first replica", "the second replica"


class Visitor:
    """A visitor whose browser keeps cookies."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cookies: dict[str, str] = {}

    def sees(self, page: str, method: str = "GET") -> str:
        """Return the text of a page. A server's name becomes a place in words."""
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=60)
        with contextlib.closing(connection):
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            path = "/readyz" if page == "readyz" else f"/{page}/"
            connection.request(method, path, headers={"Host": self.site.host, "Cookie": cookies})
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == 200, self.site.log.read_text()
        for header in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.coded_value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return {"default": PRIMARY, "replica": ONE, "replica_2": OTHER}.get(text, text)


class Story:
    """What a site's visitors see, noted as rows of the table."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.seen: list[Row] = []

    def new(self) -> Visitor:
        """Return a visitor without cookies."""
        return Visitor(self.site)

    def saw(
        self,
        situation: str,
        page: str,
        why: str,
        *,
        method: str = "GET",
        visitor: Visitor | None = None,
        cookies: Mapping[str, str] | None = None,
    ) -> None:
        """Ask for a page often, each time as a new visitor or always as this one, and note who answered.

        Argument `cookies`: what each new visitor has.
        """
        found = set()
        for _ in range(20):
            asking = visitor or self.new()
            asking.cookies |= cookies or {}
            found.add(asking.sees(page, method))
        where = REPLICA if found == {ONE, OTHER} else " and ".join(sorted(found))
        self.seen.append((situation, where, why))

    def status(self, alias: str) -> dict[str, object]:
        """Return what `/readyz` says of a replica."""
        found: dict[str, object] = json.loads(self.new().sees("readyz"))[alias]
        return found

    def wait_for(self, *places: str) -> None:
        """Wait until these servers, and no others, answer new visitors."""
        wait_until(lambda: {self.new().sees("read") for _ in range(12)} == set(places))


@contextlib.contextmanager
def told(project: Bake, tools: Environment, env: dict[str, str], pages: str = PAGES) -> Iterator[Story]:
    """Serve the pages, by one thread, which keeps its connections between requests: so state that leaks shows."""
    with sites.serving(project, tools, pages, env, host="example.com", threads=False) as site:
        yield Story(site)
