"""The pictures of README.md, from a real run: what a terminal showed, and the databases of the project."""

import html
import re
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from tests.support import commands
from tests.support.bakes import Bake
from tests.support.template import ROOT

IMAGES = ROOT / "docs/images"
UPDATE = "`make recording` draws it again; look at it before you commit it."
#: What is typed, the last two in the project.
MAKE = "--no-input secondary_database=mirror-and-writable read_replicas=yes tenant_databases=managed"
WRITE = "python manage.py shell -c \"Member.objects.update(name='GLaDOS')\""
TENANT = "python manage.py create_tenant acme"
#: Lines of `make run` that tell a reader nothing, or differ from run to run.
NOISE = re.compile(
    r"touch |Port |make|\w+ \d+, \d{4}|\d{4}-|Performing|System check|Django version|Quit|WARNING|For more|  https:"
    r"|.*: up to date$|$"
)
#: Measures of the terminal: columns, and pixels.
COLUMNS, CHARACTER, LINE, MARGIN = 92, 7.8, 19, 16
STYLE = """
rect { fill: #15181c; }
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #c9d1d9; white-space: pre; }
.typed { fill: #fff; font-weight: bold; }
.refused { fill: #ff8a80; }
g { animation: appear 1ms backwards; }
@keyframes appear { from { opacity: 0; } }
@media (prefers-reduced-motion: reduce) { g { animation: none; } }
"""
#: What was typed, and what was printed.
Session = list[tuple[str, str]]


def session(project: Bake, env: Mapping[str, str], log: str, folder: Path) -> Session:
    """Return a session: a project is made and served, which printed the log; a write is refused; a tenant is created.

    Argument `folder`: where the project is made once more, for what that prints.
    """
    made = commands.run([sys.executable, "bake.py", "-o", folder, *MAKE.split()], cwd=ROOT)
    refused = run(project, env, WRITE, code=1)
    return [
        (f'make project ARGS="{MAKE}"', made),
        ("cd my_project && make run", tidy(log, project)),
        (WRITE, "Traceback (most recent call last):\n  …\n" + refused.strip().splitlines()[-1]),
        (TENANT, run(project, env, TENANT)),
    ]


def run(project: Bake, env: Mapping[str, str], command: str, code: int = 0) -> str:
    """Run a command in the project and return what it printed."""
    return commands.run(["bash", "-c", command], cwd=project.path, env=env, code=code)


def tidy(log: str, project: Bake) -> str:
    """Return what `make run` printed from the first migration on, without repetitions and this run's times."""
    said = log[log.index(".venv/bin/python manage.py migrate_databases") :].replace(str(project.path), "~/my_project")
    said = re.sub(r"(127\.0\.0\.1|localhost):\d+", "localhost:8000", said)
    said = re.sub(r"password \w+", "password 3b1f0c9a", said)
    lines = (line.removesuffix(" # example") for line in said.splitlines() if not NOISE.match(line))
    return "\n".join(dict.fromkeys(lines))


def draw(recorded: Session) -> str:
    """Return the session as SVG. Its lines appear one after the other, where animations are shown at all."""
    groups, seconds, place = "", 0.5, MARGIN + LINE
    for typed, printed in recorded:
        lines = []
        for line in [f"$ {typed}", *printed.strip().splitlines()]:
            kind = "refused" if re.match(r"[\w.]+Error: ", line) else "typed" if line == f"$ {typed}" else "printed"
            lines += [(kind, part) for part in textwrap.wrap(line, COLUMNS, subsequent_indent="  ") or [""]]
        for kind, line in lines:
            text = f'<text class="{kind}" x="{MARGIN}" y="{place}">{html.escape(line)}</text>'
            groups += f'<g style="animation-delay: {seconds:.1f}s">{text}</g>\n'
            seconds += 1.2 if kind == "typed" else 0.2
            place += LINE
        seconds += 1
        place += LINE // 2
    said = html.escape("; ".join(typed for typed, _ in recorded))
    size = f'viewBox="0 0 {round(COLUMNS * CHARACTER) + 2 * MARGIN} {place}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="said">\n'
        f'<title id="said">A terminal: {said}</title>\n<style>{STYLE}</style>\n'
        f'<rect width="100%" height="100%" rx="8"/>\n{groups}</svg>\n'
    )


def picture(project: Bake, env: Mapping[str, str]) -> str:
    """Return the project's own picture of its databases, without times, on a ground for readers in both themes."""
    drawn = run(project, env, "python manage.py databases --svg")
    return re.sub(r", [\d.]+ ms", "", drawn).replace("</style>", "svg { background: var(--ground); }\n</style>", 1)
