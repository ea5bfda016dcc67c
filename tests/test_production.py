"""Production: the image's steps, the layout of `compose.yaml`, database users, backups, and what its server answers."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.conftest import Baker
from tests.support import commands, documents, environments, own_postgres, settings, variants
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.mariadb import Mariadb
from tests.support.own_postgres import OwnPostgres, wait_until
from tests.support.postgres import ADMINISTRATOR
from tests.support.servers import free_port
from tests.support.standbys import AT_ONCE, REPLAYED
from tests.support.variants import DJANGO

Environments = Callable[[str], Environment]
HADOLINT = Path(sys.executable).with_name("hadolint")
#: Where the image has its virtual environment and the project.
VENV, APP = "/srv/venv", "/srv/app"
#: What an application does, and what it must not do: each statement is an error of missing rights.
SERVE = """
import django, json, time
django.setup()
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connections
from django.test import Client
from django.utils import timezone
get_user_model().objects.create_user("ann", password="a password")
assert Client(headers={"host": "127.0.0.1"}).login(username="ann", password="a password")
get_user_model().objects.filter(username="ann").update(last_login=timezone.now())
allowed = []
for alias in settings.OWN_DATABASES:
    table = "django_migrations"
    for statement in (
        "CREATE TABLE mine (id int)", "CREATE TEMPORARY TABLE mine (id int)", f"ALTER TABLE {table} ADD mine int",
        f"DROP TABLE {table}", f"CREATE INDEX mine ON {table} (id)", "CREATE DATABASE mine",
        f"TRUNCATE TABLE {table}", "CREATE USER mine",
    ):
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute(statement)
        except DatabaseError as error:
            text = str(error).lower()
            refused = ("permission denied", "must be owner", "denied to user", "access denied")
            assert any(word in text for word in refused), text
        else:
            allowed.append(statement)
get_user_model().objects.all().delete()
for _ in range(150):
    response = Client(headers={"host": "10.0.0.7"}).get("/readyz")
    # At first, how far a replica lags is not known.
    if all(state["healthy"] for state in response.json().values()):
        break
    time.sleep(0.2)
print(json.dumps([allowed, response.status_code, response.json()]))
"""


def steps(project: Bake) -> list[tuple[str, str]]:
    """Return the instructions of a project's Dockerfile: name and words, in one line each."""
    text = re.sub(r"^#.*\n", "", project.read("Dockerfile"), flags=re.MULTILINE).replace("\\\n", " ")
    found = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(name, words.strip()) for name, _, words in found]


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a folder that other users may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def ask(port: int, path: str, **headers: str) -> tuple[int, Message, str]:
    """Return status, headers and text, without following a redirect."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> None:
            return None

    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=sent)
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def unprivileged(venv: Path) -> str | None:
    """Return a user without rights, if this process may become one, and if that one may enter Python's folders."""
    python = (venv / "bin/python").resolve()
    is_open = all(folder.stat().st_mode & 0o001 for folder in python.parents)
    return "nobody" if os.geteuid() == 0 and is_open else None


@contextlib.contextmanager
def served(project: Bake, venv: Path, env: Mapping[str, str]) -> Iterator[tuple[int, Path]]:
    """Run the command of the image, as a user without rights where possible; yield its port and its log."""
    port, log = free_port(), project.path.parent / "server.log"
    words = json.loads(dict(steps(project))["CMD"])
    words[words.index("0.0.0.0:8000")] = f"127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [venv / "bin" / words[0], *words[1:]],
            cwd=project.path,
            env={**commands.clean_environment(), "PYTHONDONTWRITEBYTECODE": "1", **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=(user := unprivileged(venv)),
            group=user and "nogroup",
            extra_groups=user and [],
        )
        try:
            wait_until(lambda: b"Booting worker" in log.read_bytes() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield port, log
        finally:
            process.terminate()
            process.wait(timeout=60)


def test_the_steps_of_the_image_work_and_its_command_serves(bake: Baker) -> None:
    try:
        python = environments.python_for(DJANGO or "5.2")
    except environments.NoPythonError as error:
        pytest.skip(str(error))
    version = ".".join(map(str, environments.version(python)))
    with open_folder() as folder:
        project = bake(django_version=DJANGO or "5.2").copy(folder)
        # The Python of this machine in place of the image's.
        dockerfile = project.read("Dockerfile").replace("python:3.13-slim", f"python:{version}-slim")
        project.write("Dockerfile", dockerfile.replace(VENV, str(folder / "venv")).replace(APP, str(project.path)))
        build = [words for name, words in steps(project) if name == "RUN" and "useradd" not in words]
        env = {"PATH": f"{Path(python).parent}:{commands.clean_environment()['PATH']}"}
        said = commands.run(["sh", "-c", build[0]], cwd=project.path, env=env, code=1)
        assert said == 'requirements.txt is missing: run "make lock", which writes it.\n'
        commands.run(["make", "lock", f"PYTHON={python}"], cwd=project.path, env=env)
        for words in build:
            commands.run(["sh", "-e", "-c", words.replace("python -m venv", f"{python} -m venv")], cwd=project.path)
        # It stays behind in the first stage, and `.dockerignore` keeps any other out.
        (project.path / ".env").unlink()
        assert {"**/.*", "**/*.env", "!.env.example"} <= set(project.read(".dockerignore").splitlines())
        check_server(project, folder)


def check_server(project: Bake, folder: Path) -> None:
    """Check what the image's command answers and logs, without HTTPS, and then behind a proxy."""
    tools = Environment(folder / "venv")
    data = folder / "data"
    data.mkdir()
    production = settings.production(project, settings.sqlite(data))
    env = {**production, "SECURE_SSL_REDIRECT": "on", "LOG_FORMAT": "json", "WEB_CONCURRENCY": "1"}
    project.run(tools, "python", "manage.py", "migrate_databases", env=env)
    if unprivileged(tools.folder):
        for path in (data, *data.iterdir()):
            shutil.chown(path, "nobody", "nogroup")
    with served(project, folder / "venv", env) as (port, log):
        assert ask(port, "/livez", Host="10.0.0.7:8000")[::2] == (200, "ok\n")
        status, _, text = ask(port, "/readyz", Host="no host!")
        assert (status, json.loads(text)["default"]) == (200, {"healthy": True})
        static = json.loads(project.read("staticfiles/staticfiles.json"))["paths"]["admin/css/base.css"]
        # A client without a trusted proxy says that it came by HTTPS.
        for page in ("/admin/login/", "/"):
            assert ask(port, page, Host="example.com", X_Forwarded_Proto="https")[0] == 301
    with served(project, folder / "venv", {**env, "SECURE_PROXY_SSL_HEADER": "X-Forwarded-Proto"}) as (port, log):
        https = {"Host": "example.com", "X_Forwarded_Proto": "https"}
        status, headers, text = ask(port, f"/static/{static}", **https)
        assert (status, "immutable" in headers["Cache-Control"]) == (200, True)
        status, headers, text = ask(port, "/admin/login/", **https)
        assert (status, f"/static/{static}" in text) == (200, True)
        assert headers["Strict-Transport-Security"] == "max-age=3600; includeSubDomains; preload"
        assert ("default-src 'self'" in headers.get("Content-Security-Policy", "")) == (
            project.answers["django_version"] != "5.2"
        )
        hostile = "/%0A2026-01-01%20ERROR%20fake"
        status, headers, _ = ask(port, hostile, **https, X_Request_ID="from-the-proxy")
        assert (status, headers["X-Request-ID"]) == (404, "from-the-proxy")
        (line,) = [json.loads(line) for line in log.read_text().splitlines() if "Not Found" in line]
        assert (line["level"], line["request_id"]) == ("WARNING", "from-the-proxy")
        assert not [line for line in log.read_text().splitlines() if line.startswith("2026-01-01")]


@pytest.fixture
def sqlite_project(bake: Baker, environment: Environments) -> tuple[Bake, Environment]:
    """A migrated project of the default answers, in development, and its environment."""
    project = bake(django_version=DJANGO or "5.2")
    return project, environment(project.answers["django_version"])


def test_the_drill_restores_a_backup_of_sqlite(sqlite_project: tuple[Bake, Environment]) -> None:
    project, tools = sqlite_project
    env = settings.production(project, settings.sqlite(project.path))
    env |= {"DATABASE_URL": "sqlite:///db.sqlite3", "MIRROR_DATABASE_URL": "sqlite:///demo_mirror.sqlite3"}
    demo = ("python", "manage.py", "build_demo_databases", "--settings=config.settings_test")
    project.run(tools, *demo, env={"SECRET_KEY": "x", "DEBUG": "on"})
    project.run(tools, "python", "manage.py", "migrate_databases", env=env)
    (drill,) = documents.blocks(project.read("deploy/README.md").partition("## Backups")[2], "console")
    said = project.run(tools, "bash", "-e", "-c", drill, env=env)
    assert "copy.sqlite3" in said
    # A backup of nothing is noticed.
    (project.path / "copy.sqlite3").unlink()
    project.run(tools, "bash", "-e", "-c", drill.partition("\n")[2], env=env, code=1)


def on_server(variables: Mapping[str, Any], hosts: Mapping[str, Path]) -> dict[str, str]:
    """Return the variables of a service, with the sockets of real servers in place of its hosts."""

    def replace(found: re.Match[str]) -> str:
        return f"@/{found[2]}?host={hosts[found[1]]}"

    return {name: re.sub(r"@(\w+)/([\w{}]+)", replace, str(value)) for name, value in variables.items()}


@pytest.fixture
def cluster(shared: Path, worker_id: str) -> Iterator[OwnPostgres]:
    """A server with the users and databases of nobody yet."""
    with own_postgres.running(shared / f"production-{worker_id}", AT_ONCE) as made:
        yield made


def test_the_layout_of_compose_works_on_real_servers(
    bake: Baker, environment: Environments, cluster: OwnPostgres
) -> None:
    project = bake(
        primary_database="postgresql",
        secondary_database="writable",
        read_replicas="yes",
        tenant_databases="fleet",
        django_version=DJANGO or "6.1",
    )
    tools = environment(project.answers["django_version"])
    compose = yaml.safe_load(project.read("compose.yaml"))
    server = Server(cluster)
    server.run("psql", "--set=ON_ERROR_STOP=1", "--dbname=postgres", f"--file={project.path / 'deploy/grants.sql'}")
    replication = compose["configs"]["replication"]["content"].replace("$$", "$")
    server.run("bash", "-e", "-c", replication, PGDATA=str(cluster.folder), PGDATABASE="postgres")
    tenants = compose["configs"]["tenants"]["content"]
    server.run("psql", "--set=ON_ERROR_STOP=1", "--dbname=postgres", f"--command={tenants}")
    with standby(project, server) as replica:
        hosts = {"database": cluster.folder, "tenants": cluster.folder, "replica": replica}
        services = {
            name: {
                **on_server(compose["services"][name]["environment"], hosts),
                "SECRET_KEY": settings.SECRET_KEY,
                "DJANGO_SETTINGS_MODULE": "config.settings",
            }
            for name in ("application", "migrations")
        }
        migrate = compose["services"]["migrations"]["command"]
        project.run(tools, *migrate, env=services["migrations"])
        # Its user may do what tenants need.
        project.run(tools, "python", "manage.py", "create_tenant", "acme", env=services["application"])
        ((position,),) = cluster.server.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
        other = f"postgresql://{ADMINISTRATOR}@/postgres?host={replica}"

        def is_caught_up() -> bool:
            with psycopg.connect(other) as connection:
                row = connection.execute(REPLAYED.encode()).fetchone()
            return bool(row and int(row[0]) >= int(str(position)))

        wait_until(is_caught_up)
        said = project.run(tools, "python", "-c", SERVE, env=services["application"])
        allowed, status, found = json.loads(said.splitlines()[-1])
        assert (allowed, status) == ([], 200)
        assert {alias for alias, state in found.items() if state["healthy"]} == {"default", "secondary", "replica"}, (
            found
        )
        check_drill(project, tools, server, services["migrations"])


class Server:
    """Runs programs of a PostgreSQL server as those who administer it: by its socket, as its system user."""

    def __init__(self, cluster: OwnPostgres) -> None:
        self.cluster = cluster
        programs, self.user = cluster.server.programs
        self.env = {
            **commands.clean_environment(),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PGHOST": str(cluster.folder),
            "PGUSER": ADMINISTRATOR,
        }

    def run(self, *words: str, **env: str) -> str:
        """Run a program and return what it prints. Raises AssertionError for an exit code."""
        return commands.run(words, cwd=self.cluster.folder.parent, env={**self.env, **env})


@contextlib.contextmanager
def standby(project: Bake, server: Server) -> Iterator[Path]:
    """Within the block, run `deploy/standby.sh` after a copy that was broken off; yield the folder of its socket."""
    with open_folder() as folder:
        data = folder / "replica"
        part = folder / "replica.part"
        part.mkdir()
        (part / "half").touch()
        script = shutil.copy(project.path / "deploy/standby.sh", folder)
        for path in (folder, part, part / "half"):
            if server.user:
                shutil.chown(path, server.user, server.user)
        log = folder / "log"
        options = ["-c", f"unix_socket_directories={folder}", "-c", "listen_addresses="]
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["sh", script, *options],
                cwd=folder,
                env={
                    **server.env,
                    "PGDATA": str(data),
                    "PRIMARY": f"host={server.cluster.folder} user=replicator password=development",
                },
                user=server.user,
                group=server.user,
                extra_groups=server.user and [],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                wait_until(lambda: b"ready to accept read-only" in log.read_bytes() or process.poll() is not None)
                assert process.poll() is None, log.read_text()
                assert not part.exists()
                yield folder
            finally:
                process.terminate()
                process.wait(timeout=60)


def check_drill(project: Bake, tools: Environment, server: Server, env: Mapping[str, str]) -> None:
    """Run the drills of `deploy/README.md`, and one with a backup that lacks a table."""
    primary, tenants = documents.blocks(project.read("deploy/README.md").partition("## Backups")[2], "console")
    server.cluster.server.execute("ALTER ROLE migrator CREATEDB")
    drill = {
        **env,
        **{name: server.env[name] for name in ("PGHOST",)},
        "PATH": f"{tools.bin}:{server.env['PATH']}",
        "PGUSER": "migrator",
        "DRILL_DATABASE_URL": re.sub(r"/my_project\b", "/drill", env["DATABASE_URL"]),
    }
    said = commands.run(["bash", "-e", "-c", primary], cwd=project.path, env=drill)
    assert "drill" in said
    server.cluster.server.execute("DROP TABLE notes_note CASCADE", "my_project")
    said = commands.run(["bash", "-e", "-c", primary], cwd=project.path, env=drill, code=1)
    assert "notes_note" in said
    with open_folder() as folder:
        if server.user:
            shutil.chown(folder, server.user, server.user)
        # The second command is `pg_verifybackup`, which crashes in the wheel of the tests' server.
        words = tenants.splitlines()[0].split()
        subprocess.run(
            words,
            cwd=folder,
            env=server.env,
            user=server.user,
            group=server.user,
            extra_groups=server.user and [],
            check=True,
        )
        assert (folder / "tenants/backup_manifest").exists()


def test_the_application_user_of_mysql_can_serve_and_change_no_table(
    bake: Baker, environment: Environments, mariadb: Mariadb, worker_id: str
) -> None:
    slug = f"site_of_{worker_id}"
    project = bake(
        project_slug=slug,
        primary_database="mysql",
        secondary_database="writable",
        tenant_databases="none",
        django_version=DJANGO or "6.1",
    )
    tools = environment(project.answers["django_version"])
    if not tools.has_mysqlclient:
        pytest.skip(environments.NO_MYSQLCLIENT)
    grants = re.sub(r"^--.*\n", "", project.read("deploy/grants.sql"), flags=re.MULTILINE)
    try:
        for statement in filter(str.strip, grants.split(";\n")):
            mariadb.execute(statement)
        address = mariadb.url("").partition("@")[2].rstrip("/")
        services = yaml.safe_load(project.read("compose.yaml"))["services"]
        env = {
            name: {
                **{key: str(value).replace("@database/", f"@{address}/") for key, value in service.items()},
                "SECRET_KEY": settings.SECRET_KEY,
                "DJANGO_SETTINGS_MODULE": "config.settings",
            }
            for name in ("application", "migrations")
            for service in [services[name]["environment"]]
        }
        project.run(tools, "python", "manage.py", "migrate_databases", env=env["migrations"])
        said = project.run(tools, "python", "-c", SERVE, env=env["application"])
        assert json.loads(said.splitlines()[-1])[:2] == [[], 200]
    finally:
        for statement in (
            f"DROP DATABASE IF EXISTS {slug}",
            f"DROP DATABASE IF EXISTS {slug}_secondary",
            "DROP USER IF EXISTS app, migrator",
        ):
            mariadb.execute(statement)


def test_the_files_of_every_layout_fit_together(baked: Baker) -> None:
    # The version of Django changes none of these files.
    for variant in variants.select(django_version=variants.ALL[0]["django_version"]):
        project = baked(**variant)
        if variant["primary_database"] == "sqlite":
            assert not (project.path / "compose.yaml").exists()
            continue
        compose = yaml.safe_load(project.read("compose.yaml"))
        services = compose["services"]
        application, database = services["application"], services["database"]
        # It can be started alone: it is built of nothing, and waits for nothing.
        assert not {"build", "depends_on", "env_file"} & {*database}
        needed = {
            variable
            for variable in settings.production(project, settings.sqlite(Path("/")))
            if variable not in ("SECRET_KEY", "SECURE_SSL_REDIRECT")
        }
        assert needed <= {*application["environment"]}, variant
        named = set()
        for name, service in services.items():
            named |= {*service.get("depends_on", ())}
            named |= {*re.findall(r"@(\w+)/", " ".join(map(str, service["environment"].values())))}
            mounted = {mount.partition(":")[0] for mount in service.get("volumes", ())}
            files = {mount for mount in mounted if mount.startswith("./")}
            assert mounted - files <= {*compose["volumes"]}, name
            assert [file for file in files if not (project.path / file).is_file()] == []
            assert {config["source"] for config in service.get("configs", ())} <= {*compose.get("configs", {})}
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
            assert not service["image"].endswith(":latest")
        assert named <= {*services}, variant
        used = {mount.partition(":")[0] for service in services.values() for mount in service.get("volumes", ())}
        assert {*compose["volumes"]} <= used
        roles = {"replica": "__replicas", "upstream": "__mirror", "tenants": "__tenants"}
        assert {name for name, role in roles.items() if project.answers[role]} == {*services} & {*roles}


@pytest.mark.parametrize("engine", variants.CHOICES["primary_database"])
def test_the_dockerfile_passes_its_linter(baked: Baker, engine: str) -> None:
    commands.run([HADOLINT, "--no-color", "Dockerfile"], cwd=baked(primary_database=engine).path)
    names = [name for name, _ in steps(baked(primary_database=engine))]
    # What needs rights comes before, and nothing after it copies files with other owners.
    assert "COPY" not in names[names.index("USER") :]
