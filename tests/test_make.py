"""`make run` as a user types it: nothing is prepared, packages come from PyPI, and the page shows rows."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support import commands, environments, variants
from tests.support.bakes import Bake
from tests.support.postgres import Postgres
from tests.support.template import ROOT
from tests.support.variants import Variant

CHOSEN = [
    variants.select()[0],
    variants.select(
        primary_database="postgresql", secondary_database="mirror-and-replica", tenant_databases="external"
    )[-1],
    variants.select(primary_database="sqlite", secondary_database="none", tenant_databases="managed")[-1],
]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def running(project: Bake, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `make run` in a process group of its own, and end it as Ctrl-C does."""
    with (project.path.parent / "make.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "make",
                "run",
                f"HOST=127.0.0.1:{port}",
                f"PYTHON={environments.python_for(project.answers['django_version'])}",
            ],
            cwd=project.path,
            env=commands.clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(timeout=30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if (project.path / ".postgres").exists():
                    Postgres(project.path / ".postgres").stop()


def page(process: subprocess.Popen[bytes], port: int, host: str, path: str, log: Path) -> str:
    """Return a page as soon as the server answers; fails with the log when it ends or takes too long."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": f"{host}:{port}"})
    for _ in range(3000):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} on {host}: {error}\n{log.read_text()}") from error
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("variant", CHOSEN, ids=variants.name)
def test_make_run_serves_pages_with_rows_from_every_database(bake: Baker, variant: Variant) -> None:
    try:
        environments.python_for(variant["django_version"])
    except environments.NoPythonError as error:
        pytest.skip(str(error))
    project = bake(**variant, project_name="O'Brien & 🎉 {{ 7*7 }}")
    log = project.path.parent / "make.log"
    port = free_port()
    with running(project, port) as process:
        home = page(process, port, "localhost", "/", log)
        assert "<title>O&#x27;Brien &amp; 🎉 {{ 7*7 }}</title>" in home
        if project.answers["__tenants"]:
            for tenant in ("aperture-science-labs", "vavatch-corp-campus"):
                assert tenant in home
                assert "<li>" in page(process, port, f"{tenant}.localhost", "/data-points/", log)
    assert (project.path / ".env").read_text().startswith("SECRET_KEY=")


def test_make_project_hands_its_words_to_cookiecutter(tmp_path: Path) -> None:
    if not (ROOT / ".venv/bin/python").exists():
        pytest.skip("make project would build .venv under the tests that run without it")
    output = commands.run(
        ["make", "project", f"ARGS=--no-input -o {tmp_path} project_slug=handed_over tenant_databases=managed"],
        cwd=ROOT,
    )
    assert "cd handed_over" in output
    assert (tmp_path / "handed_over/databases/tenants").is_dir()
