"""The web servers of production: gunicorn, also with gevent, and uvicorn, in a virtual environment of their own."""

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

PACKAGES = [*environments.EXTRAS, "gunicorn[gevent]>=23", "packaging", "uvicorn>=0.34"]
#: By name, the command that starts a server, without its address.
COMMANDS = {
    "gunicorn": ["gunicorn", "config.wsgi", "--workers=2", "--threads=4", "--worker-class=gthread"],
    "gevent": ["gunicorn", "config.wsgi", "--workers=1", "--worker-class=gevent"],
    "uvicorn": ["uvicorn", "config.asgi:application", "--lifespan=off"],
}
PROCESSES = {"gunicorn": 2, "gevent": 1, "uvicorn": 1}


def environment(project: Bake) -> Environment:
    """Return the environment with the servers and the dependencies of a project."""
    wanted = tomllib.loads(project.read("pyproject.toml"))["project"]["dependencies"]
    django = project.answers["django_version"]
    name = f"servers-{project.answers['primary_database']}-{django}"
    return environments.make(name, environments.python_for(django), sorted([*wanted, *PACKAGES]))


@contextlib.contextmanager
def serving(name: str, project: Bake, tools: Environment, env: Mapping[str, str], *options: str) -> Iterator[Server]:
    """Within the block, serve a project in a new process group.

    Arguments: `name` is a key of `COMMANDS`; options are added to that command.
    """
    port = free_port()
    where = [f"--port={port}"] if name == "uvicorn" else [f"--bind=127.0.0.1:{port}"]
    log = project.path.parent / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [tools.python, "-m", *COMMANDS[name], *options, *where],
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
