"""The servers that projects run on in production: gunicorn and uvicorn, in an environment of their own."""

import contextlib
import os
import signal
import subprocess
import tomllib
from collections.abc import Iterator, Mapping

from tests.support import commands, environments
from tests.support.bakes import Bake
from tests.support.environments import Environment
from tests.support.servers import Server, free_port

PACKAGES = ["gunicorn>=23", "uvicorn>=0.34"]
#: By name, the words that start one, before those that say where it listens.
COMMANDS = {
    "gunicorn": ["gunicorn", "config.wsgi", "--workers=2", "--threads=4", "--worker-class=gthread"],
    "uvicorn": ["uvicorn", "config.asgi:application", "--lifespan=off"],
}
PROCESSES = {"gunicorn": 2, "uvicorn": 1}


def environment(project: Bake) -> Environment:
    """Return the environment with the servers and what a project needs to run."""
    wanted = tomllib.loads(project.read("pyproject.toml"))["project"]["dependencies"]
    django = project.answers["django_version"]
    return environments.make(f"servers-{django}", environments.python_for(django), sorted([*wanted, *PACKAGES]))


@contextlib.contextmanager
def serving(name: str, project: Bake, tools: Environment, env: Mapping[str, str]) -> Iterator[Server]:
    """Within the block, a server with a project, in a process group of its own. Arguments: see `COMMANDS`."""
    port = free_port()
    where = [f"--bind=127.0.0.1:{port}"] if name == "gunicorn" else [f"--port={port}"]
    log = project.path.parent / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [tools.python, "-m", *COMMANDS[name], *where],
            cwd=project.path,
            env={**commands.clean_environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Server(process, port, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
