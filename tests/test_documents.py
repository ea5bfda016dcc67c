"""Runs what READMEs and workflows tell people to run, as they would: on a bare machine, with packages from PyPI."""

import ast
import contextlib
import html
import json
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Baker
from tests.support import commands, documents, environments, guides, recordings, servers, tutorials, variants
from tests.support.bakes import Bake
from tests.support.postgres import Postgres
from tests.support.template import ROOT, copy_template
from tests.support.variants import Variant

TENANTS = ("aperture-science-labs", "vavatch-corp-campus")
#: The default answers, and three that together have every role and every kind of tenants.
CHOSEN = [
    variants.select()[0],
    variants.select(
        primary_database="sqlite",
        secondary_database="mirror-and-writable",
        read_replicas="yes",
        tenant_databases="managed",
    )[-1],
    variants.select(
        primary_database="postgresql",
        secondary_database="mirror-and-writable",
        read_replicas="no",
        tenant_databases="external",
    )[0],
    variants.select(primary_database="postgresql", secondary_database="none", tenant_databases="fleet")[-1],
]
#: For each of them, the tutorials that it has the roles for.
TUTORIALS = [["1-mirror"], ["2-writable", "3-replicas", "4-tenants"], [], ["5-fleet"]]
#: The project in the pictures of README.md. Other versions of Django print other words.
RECORDED = {**CHOSEN[1], "django_version": "6.1"}
#: Files and folders that READMEs name without their role, or that a command writes.
ANY_ROLES = {
    *("router.py", "middleware.py", "settings.py", "settings_test.py", "migrations/", "models/", "tests/", "media/"),
    *("__init__.py", "models.py", "contract_check.py", ".removed-examples/", "/databases/"),
}
NAMED_PATH = re.compile(r"`([\w./-]+(?:/|\.(?:py|md|json|sql|ya?ml)))`")
#: What reads a variable of the environment.
READS = re.compile(r"env\.(str|bool|int|list|email_url)|os\.environ\.get")
#: Runs the Python of a README with the names that its reader has at hand.
RUN_BLOCKS = """
import json, sys
import django
django.setup()
from django.apps import apps
from django.test import TestCase
names = {model.__name__: model for model in apps.get_models()} | {"TestCase": TestCase, "__name__": "notes.readme"}
for block in json.loads(sys.argv[1]):
    exec(block, names)
"""
#: In a tenant, one row is added, and one of the demo is deleted.
CHANGE_ROWS = f"""
from databases.tenants import use_tenant
from projects.models import DataPoint
with use_tenant("{TENANTS[0]}"):
    DataPoint.objects.create(name="ours", value=1)
    DataPoint.objects.filter(name="slices of cake").delete()
"""


@pytest.mark.parametrize(
    ("variant", "names"), list(zip(CHOSEN, TUTORIALS, strict=True)), ids=[variants.name(each) for each in CHOSEN]
)
def test_what_projects_and_tutorials_tell_people_to_run_works(
    bake: Baker, variant: Variant, names: list[str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    try:
        python = environments.python_for(variant["django_version"])
    except environments.NoPythonError as error:
        pytest.skip(str(error))
    project = bake(**variant, project_name="O'Brien & 🎉 {{ 7*7 }}")
    # As in an activated environment.
    env = {"PYTHON": python, "PATH": f"{project.path / '.venv/bin'}:{commands.clean_environment()['PATH']}"}
    steps = documents.steps(project.read(".github/workflows/ci.yml"))
    start, own_apps = own_apps_of(project)
    told = [*documents.commands(start), *(each for text in of_roles(project) for each in documents.commands(text))]
    told += documents.commands(project.read("deploy/README.md").partition("## Backups")[0])
    elsewhere = {"make run", "make remove-examples", "make change"}
    elsewhere |= {each for each in told if each.startswith("docker ")}
    with embedded_server(project):

        def run(command: str) -> None:
            commands.run(["bash", "-e", "-c", command], cwd=project.path, env=env)

        run("make .venv/installed .env")
        with socket.create_server(("127.0.0.1", 0)) as busy:
            port = busy.getsockname()[1]
            with servers.running(project, env, port) as server:
                printed = server.told()
                assert f"Port {port} is in use, so this is port {server.port}." in printed
                check_pages(project, server, printed)
                check_demo(project, server, env)
        if variant == RECORDED:
            recorded = recordings.session(project, env, server.log.read_text(), tmp_path)
            compare("databases", recordings.picture(project, env), request)
            compare("recording", recordings.draw(recorded), request)
            if request.config.getoption("--update-recording"):
                return
        for name in names:
            tutorials.follow(name, project.path, env)
        # So that the linters and both runs of all tests see these apps too.
        add_own_apps(project, own_apps, run)
        for step in steps:
            run(step)
        for command in dict.fromkeys(told):
            if command == "python manage.py create_tenant acme --database acme_data":
                make_acme_data(project)
            if command not in {*elsewhere, *(step.removeprefix(".venv/bin/") for step in steps)}:
                run(command)
        blocks = json.dumps([block for text in of_roles(project) for block in documents.blocks(text, "python")])
        settings = {**env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        commands.run(["python", "-c", RUN_BLOCKS, blocks], cwd=project.path, env=settings)
        # Last: what the READMEs show of the example apps is run before.
        for command in ("make remove-examples", "python manage.py check", "pytest", "make demo"):
            run(command)
        with servers.running(project, env) as server:
            assert "Log in" in server.page("localhost", "/admin/")


def compare(name: str, drawn: str, request: pytest.FixtureRequest) -> None:
    """Compare a picture of README.md with what was drawn, or put it there."""
    path = recordings.IMAGES / f"{name}.svg"
    if request.config.getoption("--update-recording"):
        path.write_text(drawn, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == drawn, recordings.UPDATE


def own_apps_of(project: Bake) -> tuple[str, str]:
    """Return the README of a project without its section about new apps, and that section."""
    before, _, rest = project.read("README.md").partition("## Add your own apps\n")
    section, _, after = rest.partition("\n## ")
    assert section
    assert after
    return f"{before}\n## {after}", section


def of_roles(project: Bake) -> list[str]:
    """Return the READMEs in `databases/`. The one of the fleet is last: it needs the tenant that another one makes."""
    files = [file for file in project.files if re.fullmatch(r"databases/(\w+/)?README\.md", file)]
    return [project.read(file) for file in sorted(files, key=lambda file: ("/fleet/" in file, file))]


def add_own_apps(project: Bake, section: str, run: Callable[[str], None]) -> None:
    """Run the commands of the section, apply its diffs, and write its files, each named in its first line."""
    for _, language, block in documents.parts(section):
        if language == "console":
            for command in block.splitlines():
                run(command)
        elif language == "diff":
            guides.apply(block, project.path)
        elif language == "python":
            name, _, text = block.partition("\n")
            assert (project.path / name.removeprefix("# ")).exists(), name
            project.write(name.removeprefix("# "), text)


def check_pages(project: Bake, server: servers.Server, told: str) -> None:
    """Check what `make run` names, and that pages show rows from every database."""
    home = server.page("localhost", "/")
    assert "<title>O&#x27;Brien &amp; 🎉 {{ 7*7 }}</title>" in home
    hosts = TENANTS if project.answers["__tenants"] else ()
    assert re.findall(r"http://(\S+)", told) == [
        *(f"localhost:{server.port}{path}" for path in ("/", "/databases/", "/admin/")),
        *(f"{tenant}.localhost:{server.port}/" for tenant in hosts),
    ]
    rows = {re.search("<ul>.+</ul>", server.page(f"{tenant}.localhost", "/"))[0] for tenant in hosts}  # type: ignore[index]
    assert len(rows) == len(hosts), "tenants have different rows"
    assert all(f"//{tenant}.localhost:{server.port}/" in home for tenant in hosts)
    if project.answers["__secondary"]:
        # It is for staff.
        assert "Log in" in server.page("localhost", "/events/")
    (name, password) = re.findall(r"user (\w+), password (\w+)", told)[0]
    server.post("localhost", "/admin/login/", username=name, password=password, next="/admin/")
    assert "Log out" in server.page("localhost", "/admin/")
    if project.answers["__secondary"]:
        assert "demo added a note of the demo" in server.post("localhost", "/events/", text="a note of the demo")
    assert project.read(".env").startswith("SECRET_KEY=")


def check_demo(project: Bake, server: servers.Server, env: dict[str, str]) -> None:
    """Do what the start page tells people to try and to break, and run `make demo` again."""
    home = server.post("localhost", "/", text="a note of ours")
    assert "<li>a note of ours</li>" in home
    assert "database <strong>default</strong>" in home, "who wrote reads the primary"
    attempts = re.findall(r"<pre>(.+?)</pre>.*?What stops it:</em> <code>(\w+)", home, re.DOTALL)
    chosen = [project.answers[role] for role in ("__secondary", "__replicas", "__tenants")]
    assert len(attempts) == len([each for each in chosen if each])
    for command, error in attempts:
        assert error in commands.run(["bash", "-c", html.unescape(command)], cwd=project.path, env=env, code=1)
    if project.answers["__mirror"]:
        for writer, reason in (("model", "lives in &#x27;mirror&#x27;"), ("SQL", "Refused on &#x27;mirror&#x27;")):
            page = server.post("localhost", "/members/", writer=writer)
            assert "<code>MirrorWriteError</code>: " in page
            assert reason in page
            assert "Chell, Aperture Science" in page
        assert "Test subject 1, Aperture Science" in server.post("localhost", "/members/", writer="other application")
    if project.answers["__tenants"]:
        commands.run(["python", "manage.py", "shell", "-c", CHANGE_ROWS], cwd=project.path, env=env)
    for _ in range(2):
        assert "password" in commands.run(["make", "demo"], cwd=project.path, env=env)
    if project.answers["__tenants"]:
        page = server.page(f"{TENANTS[0]}.localhost", "/")
        assert page.count("slices of cake = 0.0") == page.count("ours = 1.0") == 1
    home = server.page("localhost", "/")
    assert home.count("<li>a note of ours</li>") == home.count("<li>Written to the project") == 1
    if project.answers["__mirror"]:
        page = server.page("localhost", "/members/")
        assert "Chell" in page
        assert "Test subject" not in page
    assert "DEBUG is off" in commands.run(["make", "demo"], cwd=project.path, env={**env, "DEBUG": "off"}, code=2)


@contextlib.contextmanager
def embedded_server(project: Bake) -> Iterator[None]:
    """Stop the project's own PostgreSQL server on leaving the block, if it has one."""
    try:
        yield
    finally:
        if (project.path / ".postgres").exists():
            Postgres(project.path / ".postgres").stop()


def make_acme_data(project: Bake) -> None:
    """Make the database that the README says exists, as a copy of one of the demo's."""
    server = Postgres(project.path / ".postgres")
    server.start()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        demo = sql.Identifier(f"demo_tenant_{TENANTS[0]}")
        connection.execute(sql.SQL("CREATE DATABASE acme_data TEMPLATE {}").format(demo))


#: Pages whose commands are for a clone of the template.
PAGES = ["README.md", "docs/how-to/baking.md", "docs/how-to/change.md", "docs/development.md"]
#: Commands of these pages that run these tests, or that other tests are about.
ELSEWHERE = {
    *("make test", 'make test PYTEST="-n 4 -k mirror"'),
    *("make refusals", "make reads", "make recording", "make compatibility", "make docs"),
    *("make run", "make lint", "make clean"),
    'make change PROJECT=../my_project ARGS="tenant_databases=managed"',
    *("make change", "make change PROJECT=../my_project", "make change PROJECT=../my_project DRY_RUN=1"),
}


def test_the_commands_of_the_templates_pages_work_in_a_clean_clone(tmp_path: Path) -> None:
    clone = copy_template(tmp_path / "clone")
    told = documents.commands("\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES))
    assert told[:2] == ["make project", "make run"]
    env = {"PYTHON": sys.executable, "PATH": f"{Path(sys.executable).parent}:{commands.clean_environment()['PATH']}"}
    for command in told:
        if command in ELSEWHERE or command.startswith("cruft"):
            continue
        folder = clone if command.startswith("make") else tmp_path / command.split()[0]
        folder.mkdir(exist_ok=True)
        address = command.replace("<this repository>", str(clone))
        commands.run(["bash", "-e", "-c", address], cwd=folder, env=env, typed="\n" * 7)
    for project in (clone / "my_project", tmp_path / "aperture_science", tmp_path / "uvx/my_project"):
        assert (project / "manage.py").exists()


def test_the_templates_workflow_runs_what_is_there() -> None:
    assert documents.steps((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")) == [".ci/run"]
    commands.run(["bash", "-n", ".ci/run"], cwd=ROOT)


@variants.each()
def test_every_variable_that_is_named_is_one_that_the_settings_read(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    read = {
        ast.literal_eval(node.args[0])
        for file in project.files
        if file.startswith("config/") or file.endswith("settings_test.py")
        for node in ast.walk(ast.parse(project.read(file)))
        if isinstance(node, ast.Call)
        and re.fullmatch(r"env\.(str|bool|int|list|email_url)|os\.environ\.get", ast.unparse(node.func))
    }
    if project.answers["__secondary"]:
        # `databases/testing/settings.py` reads one for each alias in OWN_DATABASES.
        read.add("TEST_SECONDARY_DATABASE_URL")
    section = project.read("deploy/README.md").partition("## Settings")[2].partition("\n## ")[0]
    assert (
        set(re.findall(r"`([A-Z_]+)`(?=,| \|)", "\n".join(re.findall(r"^\|([^|]+\|)", section, re.MULTILINE)))) == read
    )
    example = set(re.findall(r"^([A-Z_]+)=", project.read(".env.example"), re.MULTILINE))
    assert example == {name for name in read if not name.startswith("TEST_")}
    # Without a default: production has its own, or does not start.
    assert '\nSECRET_KEY = env.str("SECRET_KEY")\n' in project.read("config/settings.py")
    settings = set(re.findall(r"^([A-Z_]+)\b", project.read("config/databases.py"), re.MULTILINE))
    # This is the same in every project, and names settings of roles that this one may lack.
    same = re.compile(r"databases/(\w+/)?tests/plain_site\.py")
    everything = "\n".join(project.read(file) for file in project.files if not same.fullmatch(file))
    # The names of databases' servers, in messages, tests, workflows and documents.
    named = set(re.findall(r"\b(?:[A-Z]+_)*(?:DATABASE_URLS?|TENANT_SERVERS|SITE_DOMAIN|ALLOWED_HOSTS)\b", everything))
    made_up = {"SOME_DATABASE_URL", "ARCHIVE_DATABASE_URL", "TEST_ARCHIVE_DATABASE_URL", "DRILL_DATABASE_URL"}
    assert named - made_up <= read | settings


@variants.each()
def test_the_readmes_are_short_linked_and_name_paths_that_exist(baked: Baker, variant: Variant) -> None:
    project = baked(**variant)
    assert len(project.read("README.md").split()) <= 950
    readmes = {file: project.read(file) for file in project.files if file.endswith("README.md")}
    wrong = []
    linked = {"README.md"}
    for file, text in readmes.items():
        folder = (project.path / file).parent
        # `shop` is the reader's first app.
        named = {name for name in NAMED_PATH.findall(text) if name not in ANY_ROLES and not name.startswith("shop/")}
        roots = [folder, *(project.path / root for root in ("", "config", "databases"))]
        wrong += [(file, name) for name in named if not any((root / name).exists() for root in roots)]
        for link in re.findall(r"\]\(([^)#]+)", text):
            linked.add(str((folder / link).resolve().relative_to(project.path.resolve())))
    assert wrong == []
    assert linked == {*readmes}


def test_a_command_of_an_unknown_program_is_an_error() -> None:
    with pytest.raises(ValueError, match="Who runs 'rm -rf x'"):
        documents.commands("Text\n\n```console\nmake test\nrm -rf x   # why not\n```\n")
    with pytest.raises(ValueError, match="Who does"):
        documents.steps("jobs: {a: {steps: [{uses: someone/something@v1}]}}")


def test_commands_are_found_in_blocks_and_between_words() -> None:
    text = "Run `make a`, or `python\nb`, not `this`.\n```sh\nmake c  # why\n```\n```python\nmake = d\n```\n`make a`\n"
    assert documents.commands(text) == ["make a", "python b", "make c"]
    assert documents.blocks(text, "python") == ["make = d\n"]
