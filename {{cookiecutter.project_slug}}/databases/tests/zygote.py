"""A Python process that forks a child for each call. It has imported Django and drivers, so a child starts at once.

It imports nothing of the project and knows no settings, because a child may work in a copy of the project. It serves
one test process, over a socket, until that process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

#: Modules that need no settings. One that is not installed is left out.
IMPORTED = (
    "cryptography.fernet django.contrib.admin.sites django.contrib.auth.hashers django.contrib.auth.middleware "
    "django.contrib.staticfiles.finders django.core.cache.backends.locmem django.core.management.commands.migrate "
    "django.core.management.commands.check django.core.serializers.json django.db.migrations.executor "
    "django.middleware.common django.template.backends.django django.templatetags.tz django.test django.views.defaults "
    "environ django.db.backends.sqlite3.base django.db.backends.postgresql.base django.db.backends.mysql.base"
)


def start(words: Sequence[str], folder: Path, environment: dict[str, str], *files: int) -> Callable[[], int]:
    """Start Python, and return a function that waits for its end and returns the exit code.

    Arguments: the words of the command line (`-c CODE`, `-m MODULE ...` or `FILE ...`), the current directory, the
    whole environment, and the file descriptors of stdin, stdout and stderr.
    """
    if not hasattr(os, "fork"):
        streams = dict(zip(("stdin", "stdout", "stderr"), files, strict=True))
        return subprocess.Popen([sys.executable, *words], cwd=folder, env=environment, **streams).wait
    control, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(_zygote_of(os.getpid()), [b"."], [theirs.fileno(), *files])
    control.sendall(json.dumps([words, str(folder), environment]).encode() + b"\n")

    def wait() -> int:
        with control, control.makefile() as answer:
            return int(answer.readline())

    return wait


@functools.cache
def _zygote_of(process: int) -> socket.socket:
    """Start the zygote of the test process with this id. A worker that a test run forks needs another one."""
    ours, theirs = socket.socketpair()
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    with theirs:
        theirs.set_inheritable(True)
        os.posix_spawn(sys.executable, [sys.executable, __file__, str(theirs.fileno())], kept)
    atexit.register(ours.close)
    return ours


def serve(server: socket.socket) -> tuple[list[str], str, dict[str, str]]:
    """Fork for each request until the test process ends. Returns only in a child: its words, folder and environment."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while files := socket.recv_fds(server, 1, 4)[1]:
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with server, socket.socket(fileno=files[0]) as control:
                request = json.loads(control.makefile().readline())
                if child := os.fork():
                    control.send(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                    os._exit(0)
            for number, file in enumerate(files[1:]):
                os.dup2(file, number)
                os.close(file)
            return request
        for file in files:
            os.close(file)
    sys.exit()


if __name__ == "__main__":
    del sys.path[0]
    for name in IMPORTED.split():
        with contextlib.suppress(ImportError, ImproperlyConfigured):
            import_module(name)
    # Children neither copy nor, at their end, collect what is imported here.
    gc.freeze()
    sys.argv, folder, environment = serve(socket.socket(fileno=int(sys.argv[1])))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    if sys.argv[0] == "-c":
        exec(sys.argv.pop(1), {"__name__": "__main__"})  # noqa: S102
    elif sys.argv[0] == "-m":
        runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
