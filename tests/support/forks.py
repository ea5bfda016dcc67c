"""A process that sets Django up once, and forks a child for each program. Starting Django takes longer than most."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support import commands
from tests.support.bakes import Bake
from tests.support.environments import Environment

#: Reads a JSON list from each line, `[code, words, file]`, runs the code in a child that writes its output to the file,
#: and prints the child's exit code. The parent queries no database, so children inherit no connection or cached row.
PROGRAM = """
import gc, json, os, sys
import django
django.setup()
# Children do not copy what their garbage collector looks at.
gc.freeze()
answers = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    code, words, file = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
else:
    sys.exit()
os.dup2(os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_CREAT), 1)
os.dup2(1, 2)
sys.argv[1:] = words
exec(compile(code, "child", "exec"))
"""


class Forks:
    """Runs programs in a project, one at a time."""

    def __init__(self, project: Bake, tools: Environment, env: Mapping[str, str]) -> None:
        self._output = project.path.parent / "output-of-child"
        self._errors = (project.path.parent / "forks.log").open("w+")
        self._process = subprocess.Popen(
            [tools.python, "-c", PROGRAM],
            cwd=project.path,
            env={**commands.clean_environment(), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
        )

    def run(self, code: str, *words: str | Path, exit_code: int | None = 0) -> str:
        """Run a program, and return its output. Raises AssertionError for another exit code; `None` allows all."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([code, [*map(str, words)], str(self._output)]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, Path(self._errors.name).read_text()
        output = self._output.read_text(encoding="utf-8", errors="replace")
        assert exit_code in (None, int(answer)), f"{words} ended with {answer.strip()}:\n{output}"
        return output

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)
        self._errors.close()
