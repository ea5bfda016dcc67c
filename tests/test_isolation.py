"""Isolation: a bake depends on its answers alone, needs no network, and leaves nothing behind but the project."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import commands
from tests.support.commands import COOKIECUTTER
from tests.support.template import COOKIECUTTER_JSON, ROOT, copy_template

ANSWERS = (
    'project_name=O\'Brien & "Söhne" ıİ 🎉',
    "project_slug=a_project",
    "primary_database=postgresql",
    "secondary_database=read-only-mirror",
    "read_replicas=yes",
    "tenant_databases=fleet",
)
RECORD = ".template.json"
# cookiecutter itself writes into a replay file where it read and where it wrote.
PLACES = {"_template", "_output_dir", "_repo_dir", "_checkout"}

ELSEWHERE = {
    "C": {"LANG": "C", "LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "1"},
    "C.UTF-8": {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "America/St_Johns", "PYTHONHASHSEED": "2"},
    "Turkish": {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8", "TZ": "Europe/Istanbul", "PYTHONHASHSEED": "3"},
}
ASCII = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

# Root may write anywhere, unless it gives up this right.
UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
WRITE_BITS = 0o222

SECRET_NAME = re.compile(r"secret|passw|token|credential|(api|private|access)_?key|signature", re.IGNORECASE)
# A long word of letters and digits was not typed by a person.
SECRET_VALUE = re.compile(r"change.?me|\b(?=\w*[0-9])(?=\w*[A-Za-z])[\w+=-]{16,}", re.IGNORECASE)

AUDITED = """
import json, os, sys

log = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
one_path = {"os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.utime", "shutil.rmtree"}
two_paths = {"os.rename", "os.link", "os.symlink"}
programs = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}

def note(kind, what):
    os.write(log, (json.dumps([kind, what]) + "\\n").encode())

def hook(event, arguments):
    # Not socket.bind: a library of cookiecutter's tries that, to see whether there is IPv6.
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}:
        note("network", event)
        raise RuntimeError("no network")
    if event in programs:
        note("program", os.fspath(arguments[0]))
    paths = arguments[:1] if event in one_path else arguments[:2] if event in two_paths else ()
    # Files below a file descriptor belong to a folder that was noted as shutil.rmtree began.
    if event in {"os.remove", "os.rmdir"} and arguments[1] != -1:
        paths = ()
    if event == "open" and arguments[2] & writing:
        paths = arguments[:1]
    for path in paths:
        if not isinstance(path, int):
            note("path", os.path.realpath(os.fsdecode(path)))

sys.addaudithook(hook)
"""

SPOILED = """
import contextlib, shutil, socket, subprocess
from pathlib import Path
with contextlib.suppress(RuntimeError):
    socket.socket().connect(("127.0.0.1", 9))
with contextlib.suppress(RuntimeError):
    socket.create_connection(("example.invalid", 9))
Path.home().joinpath("stray").write_text("")
Path.home().joinpath("folder").mkdir()
shutil.rmtree(Path.home() / "folder")
subprocess.run(["true"])
"""


@dataclasses.dataclass(frozen=True)
class Result:
    """A bake: the mode and the digest of each path, and the replay file, where `{folder}` stands for its folder."""

    tree: dict[str, str]
    replay: str


def bake(
    folder: Path,
    *words: str | Path,
    template: Path = ROOT,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Result:
    """Bake by the command line; project, home, temporary and working folder are in a folder of the test.

    Arguments: words for cookiecutter; `cwd` is another working folder; `before` is a command that runs this one.
    """
    for name in ("output", "home", "temporary", "working"):
        (folder / name).mkdir()
    cwd = cwd or folder / "working"
    commands.run(
        # With the configuration of the test run, cookiecutter would not use that home.
        [*before, sys.executable, COOKIECUTTER, template, "--default-config", "-o", folder / "output", *words],
        cwd=cwd,
        env={"HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary"), **(env or {})},
    )
    [replay] = (folder / "home/.cookiecutter_replay").iterdir()
    return Result(tree(folder / "output/a_project"), replay.read_text().replace(str(folder), "{folder}"))


def tree(folder: Path) -> dict[str, str]:
    """Return the mode of each path below a folder, and the digest of each file."""
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mode:o} {digest(path) if path.is_file() else 'folder'}"
        for path in folder.rglob("*")
    }


def without_modes(tree: dict[str, str]) -> dict[str, str]:
    """Return the digest of each path alone."""
    return {path: what.partition(" ")[2] for path, what in tree.items()}


def digest(file: Path) -> str:
    """Return a digest of a file's content."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def audited(folder: Path, template: Path = ROOT) -> dict[str, set[str]]:
    """Bake with an audit hook in every Python process, and return by kind what they did."""
    (folder / "site").mkdir()
    (folder / "site/sitecustomize.py").write_text(AUDITED)
    log = folder / "log"
    env = {"PYTHONPATH": str(folder / "site"), "AUDIT_LOG": str(log)}
    bake(folder, "--no-input", *ANSWERS, template=template, env=env)
    found: dict[str, set[str]] = {"network": set(), "program": set(), "path": set()}
    for line in log.read_text().splitlines():
        kind, what = json.loads(line)
        found[kind].add(what)
    return found


def strays(folder: Path, paths: set[str]) -> list[str]:
    """Return the paths that are neither in the project, nor temporary, nor cookiecutter's own."""
    places = [folder / name for name in ("output", "temporary", "home/.cookiecutter_replay")]
    # Python writes bytecode; another test is about the template's.
    others = [path for path in paths if path != os.devnull and "__pycache__" not in path]
    return [path for path in others if not any(Path(path).is_relative_to(place) for place in places)]


def secrets(value: object, name: str = "") -> Iterator[str]:
    """Yield from nested data the names that secrets have, and the texts that look like secrets."""
    if SECRET_NAME.search(name):
        yield name
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from secrets(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from secrets(inner)
    elif isinstance(value, str) and SECRET_VALUE.search(value):
        yield value


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A bake as this machine makes it."""
    return bake(tmp_path_factory.mktemp("plain"), "--no-input", *ANSWERS)


@pytest.mark.parametrize("env", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_bake_is_the_same_in_every_time_zone_and_language(plain: Result, tmp_path: Path, env: dict[str, str]) -> None:
    result = bake(tmp_path, "--no-input", *ANSWERS, env=env)
    assert result.tree == plain.tree
    assert result.replay == plain.replay


def test_a_bake_is_the_same_from_another_working_folder(plain: Result, tmp_path: Path) -> None:
    result = bake(tmp_path, "--no-input", *ANSWERS, template=Path(ROOT.name), cwd=ROOT.parent)
    assert result.tree == plain.tree


def test_a_bake_is_the_same_where_python_takes_all_text_for_ascii(plain: Result, tmp_path: Path) -> None:
    # The answers come from a replay file, since such a Python cannot read them from its command line.
    (tmp_path / "replay.json").write_text(plain.replay)
    result = bake(tmp_path, "--replay-file", tmp_path / "replay.json", env=ASCII)
    assert result.tree == plain.tree


def test_a_bake_is_the_same_from_a_read_only_folder(plain: Result, tmp_path: Path) -> None:
    if UNPRIVILEGED and not shutil.which(UNPRIVILEGED[0]):
        pytest.skip("root may write to every folder, and there is no setpriv to give that up")
    template = copy_template(tmp_path / "template")
    for path in [template, *template.rglob("*")]:
        path.chmod(path.stat().st_mode & ~WRITE_BITS)
    for place in (template, template / "hooks"):
        code = f"open({str(place / 'new')!r}, 'x')"
        refused = commands.run([*UNPRIVILEGED, sys.executable, "-c", code], cwd=tmp_path, code=1)
        assert "PermissionError" in refused
    result = bake(tmp_path, "--no-input", *ANSWERS, template=Path(), cwd=template, before=UNPRIVILEGED)
    # cookiecutter gives the files of a project the modes that they have in the template; folders must be writable.
    # The copy is no repository, so its projects record no commit.
    assert {**without_modes(result.tree), RECORD: ""} == {**without_modes(plain.tree), RECORD: ""}
    folders = [path for path in (tmp_path / "output").rglob("*") if path.is_dir()]
    assert [path for path in folders if not path.stat().st_mode & stat.S_IWUSR] == []


def test_a_bake_leaves_nothing_outside_of_the_project(tmp_path: Path) -> None:
    template = copy_template(tmp_path / "template")
    before = tree(template)
    bake(tmp_path, "--no-input", *ANSWERS, template=template)
    assert tree(template) == before
    assert tree(tmp_path / "temporary") == {}
    assert tree(tmp_path / "working") == {}
    assert set(tree(tmp_path / "home")) == {".cookiecutter_replay", ".cookiecutter_replay/template.json"}
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["a_project"]


def test_a_bake_uses_no_network_no_program_and_no_other_folder(tmp_path: Path) -> None:
    found = audited(tmp_path)
    assert found["network"] == set()
    # git says which commit of the template this is.
    assert found["program"] == {sys.executable, "git"}
    assert strays(tmp_path, found["path"]) == []


def test_a_hook_that_uses_them_is_noticed(tmp_path: Path) -> None:
    template = copy_template(tmp_path / "template")
    hook = template / "hooks/post_gen_project.py"
    hook.write_text(hook.read_text(encoding="utf-8") + SPOILED, encoding="utf-8")
    found = audited(tmp_path, template)
    assert found["network"] == {"socket.connect", "socket.getaddrinfo"}
    assert found["program"] == {sys.executable, "git", "true"}
    assert {Path(path).name for path in strays(tmp_path, found["path"])} == {"stray", "folder"}


def test_the_answers_that_cookiecutter_keeps_hold_no_secret(plain: Result) -> None:
    replay = json.loads(plain.replay)
    assert replay.keys() == {"cookiecutter", "_cookiecutter"}
    assert replay["cookiecutter"].keys() - COOKIECUTTER_JSON.keys() == PLACES
    assert replay["_cookiecutter"].keys() - COOKIECUTTER_JSON.keys() == set()
    # The template's own texts, such as names of files, are no secrets; nor is whether a variable is set.
    kept = [
        {key: answer for key, answer in part.items() if answer not in ("yes", "", COOKIECUTTER_JSON.get(key))}
        for part in ({key: part[key] for key in part.keys() - PLACES} for part in replay.values())
    ]
    assert list(secrets(kept)) == []


@pytest.mark.parametrize(
    "context",
    [
        {"SECRET_KEY": ""},
        {"a": {"database_password": "x"}},
        {"a": ["change-me"]},
        {"a": "x7Jq2LmN8vRt4WzK"},
        {"a": "postgres://site:9f86d081884c7d65@host/site"},
    ],
)
def test_a_secret_is_noticed(context: dict[str, Any]) -> None:
    assert list(secrets(context))
