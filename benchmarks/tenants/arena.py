"""The server, the programs and the projects that all measurements share."""

import dataclasses
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from benchmarks.tenants import shop
from benchmarks.tenants.contestants import ours, router, schemas, static
from benchmarks.tenants.worker import Worker, running
from tests.support import commands, environments
from tests.support.environments import Environment
from tests.support.postgres import Postgres

DJANGO = "6.1"
#: What each project needs; all are in one environment, so that all have the same Django and driver.
PACKAGES = ["cryptography>=44", "django-environ>=0.12", "gunicorn>=23", "psycopg[binary]>=3.2"]
#: PostgreSQL's defaults otherwise, so fsync is on. Two processes of four threads with a connection to each of 200
#: tenants need that many.
SETTINGS = "max_connections = 2000\n"
OURS, FLEET, SCHEMAS, ROUTER, STATIC = (
    *("this template", "this template, fleet"),
    *("django-tenants", "django-tenants-router", "static aliases"),
)
#: Our contestants, and their answer to `tenant_databases`.
ANSWERS = {OURS: "managed", FLEET: "fleet"}
OTHERS = {SCHEMAS: schemas.files, ROUTER: router.files, STATIC: static.files}


@dataclasses.dataclass(frozen=True)
class Site:
    """A project and its databases on the server, whose names begin with the prefix."""

    name: str
    folder: Path
    prefix: str
    env: Mapping[str, str]
    tools: Environment

    def worker(self, **env: str) -> AbstractContextManager[Worker]:
        """Within the block, a process of the project runs. Keyword arguments are environment variables."""
        return running(self.tools.python, self.folder, {**self.env, **env})

    def write(self, size: shop.Size) -> None:
        """Write the files of the project, with an app of this size."""
        if self.name in ANSWERS:
            ours.make(self.folder, DJANGO, size, ANSWERS[self.name])
            return
        for file, text in OTHERS[self.name](size).items():
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / file).write_text(text)

    def run(self, *words: str, **env: str) -> str:
        """Run `manage.py` and return what it printed."""
        return commands.run([self.tools.python, "manage.py", *words], cwd=self.folder, env={**self.env, **env})


class Arena:
    """One server, started in a folder with these settings, and the projects of the comparison."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        wanted = sorted([f"django~={DJANGO}.0", *PACKAGES, schemas.PACKAGE, router.PACKAGE])
        self.tools = environments.make(f"tenants-{DJANGO}", environments.python_for(DJANGO), wanted)
        self.server = Postgres(folder / "postgres", settings)
        self.server.start()
        self._fleets: dict[str, int] = {}

    def stop(self) -> None:
        """Stop the server."""
        self.server.stop()

    @property
    def socket(self) -> str:
        """The folder of the server's socket."""
        return parse_qs(urlsplit(self.server.url("postgres")).query)["host"][0]

    def site(self, name: str, prefix: str = "", size: shop.Size = shop.SMALL) -> Site:
        """Return a project with its central database, a new one for each prefix."""
        prefix = prefix or re.sub("[^a-z]", "", name)
        url = self.server.url("NAME").replace("NAME", "{name}")
        env = {"PGDIR": self.socket, "DJANGO_SETTINGS_MODULE": "settings", "PREFIX": prefix, "TENANTS": "0"}
        if name in ANSWERS:
            env |= ours.environment(url, prefix)
        site = Site(name, self.folder / prefix, prefix, env, self.tools)
        if prefix not in self._fleets:
            self._fleets[prefix] = 0
            self.server.create(f"{prefix}_site")
            site.write(size)
            if name == SCHEMAS:
                site.run("makemigrations", "customers")
            with site.worker() as worker:
                worker.told("prepare")
        return site

    def fleet(self, name: str, tenants: int, prefix: str = "", size: shop.Size = shop.SMALL) -> Site:
        """Return a project with at least this number of tenants. Missing ones are created."""
        site = self.site(name, prefix, size)
        have = self._fleets[site.prefix]
        if have < tenants:
            with site.worker(TENANTS=str(tenants)) as worker:
                worker.told("make", have, tenants)
            self._fleets[site.prefix] = tenants
        return dataclasses.replace(site, env={**site.env, "TENANTS": str(tenants)})

    def versions(self) -> str:
        """Return the versions of the software, in words."""
        code = "import django, platform, psycopg as p; print(f'Django {django.__version__}, Python '"
        code += "f'{platform.python_version()}, psycopg {p.__version__}', end='')"
        software = commands.run([self.tools.python, "-c", code], cwd=self.folder)
        ((server,),) = self.server.execute("SHOW server_version")
        return f"{software}, PostgreSQL {server}"
