"""Python for projects that starts at once: a process per environment has imported packages, and forks for each run.

It imports nothing of a project and knows no settings, so a child differs from a new process in what is imported only.
"""

import functools
import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support import commands
from tests.support.bakes import Bake
from tests.support.environments import Environment

#: Modules that need no settings. One that is not installed is left out. Plugins of pytest are not among them, because
#: pytest changes their code when it imports them.
IMPORTED = (
    "cProfile cryptography.fernet django.contrib.admin.sites django.contrib.auth.hashers "
    "django.contrib.auth.middleware django.contrib.contenttypes.apps django.contrib.messages.middleware "
    "django.contrib.sessions.middleware django.contrib.staticfiles.finders django.core.cache.backends.locmem "
    "django.core.management.commands.check django.core.management.commands.makemigrations "
    "django.core.management.commands.migrate django.core.serializers.json django.db.backends.mysql.base "
    "django.db.backends.postgresql.base django.db.backends.sqlite3.base django.middleware.common "
    "django.middleware.csrf django.middleware.security django.template.backends.django django.template.loader_tags "
    "django.templatetags.tz django.test.runner django.views.debug django.views.defaults environ execnet pdb "
    "psycopg_pool pygments.lexers pytest _pytest.junitxml unittest.mock whitenoise.middleware"
)
#: Reads a JSON list from each line, `[words, folder, environment, file]`, and prints the exit code of a child that runs
#: Python with these words (`-c CODE ...`, `-m MODULE ...` or `FILE ...`) and writes its output to the file.
PROGRAM = """
import contextlib, gc, importlib, json, os, runpy, sys
from django.core.exceptions import ImproperlyConfigured
del sys.path[0]
for name in sys.argv[1:]:
    with contextlib.suppress(ImportError, ImproperlyConfigured):
        importlib.import_module(name)
# Children neither copy nor, at their end, collect what is imported here.
gc.freeze()
answers = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
else:
    sys.exit()
answers.close()
sys.argv, folder, environment, file = json.loads(line)
for number, path in enumerate([os.devnull, file]):
    opened = os.open(path, os.O_RDWR)
    os.dup2(opened, number)
    os.close(opened)
os.dup2(1, 2)
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
if sys.argv[0] in ("-c", "-m"):
    sys.path.insert(0, "" if sys.argv[0] == "-c" else folder)
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
if sys.argv[0] == "-c":
    code = compile(sys.argv.pop(1), "<string>", "exec")
    exec(code, {"__name__": "__main__"})
elif sys.argv[0] == "-m":
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def python(
    project: Bake,
    tools: Environment,
    *words: str,
    env: Mapping[str, str] | None = None,
    code: int | None = 0,
    timeout: float = 900,
) -> str:
    """Run Python in a project, and return its output: like `Bake.run`, but without options of the interpreter.

    Of the variables that the interpreter reads when it starts, only PYTHONDONTWRITEBYTECODE works.
    Raises AssertionError for another exit code, and TimeoutError after so many seconds.
    """
    path = {"PATH": f"{tools.bin}{os.pathsep}{os.environ['PATH']}"}
    environment = {**commands.clean_environment(), **path, **(env or {})}
    with tempfile.NamedTemporaryFile() as file:
        zygote = _zygote(tools)
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        try:
            zygote.stdin.write(json.dumps([words, str(project.path), environment, file.name]).encode() + b"\n")
            if not select.select([zygote.stdout], [], [], timeout)[0]:
                raise TimeoutError(f"{words} took more than {timeout} seconds:\n{_text(file.name)}")
            answer = zygote.stdout.readline()
            assert answer, f"The process that forks for {words} has ended:\n{_text(file.name)}"
        except BaseException:
            # With the child, which is in its process group.
            os.killpg(zygote.pid, signal.SIGKILL)
            zygote.communicate()
            _zygote.cache_clear()
            raise
        output = _text(file.name)
    assert code in (None, int(answer)), f"{words} ended with {answer.decode().strip()}:\n{output}"
    return output


def _text(file: str) -> str:
    return Path(file).read_text(encoding="utf-8", errors="replace")


@functools.cache
def _zygote(tools: Environment) -> "subprocess.Popen[bytes]":
    """Start the process of an environment. It ends with the process that runs the tests."""
    return subprocess.Popen(
        [tools.python, "-c", PROGRAM, *IMPORTED.split()],
        cwd="/",
        env=commands.clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        process_group=0,
    )
