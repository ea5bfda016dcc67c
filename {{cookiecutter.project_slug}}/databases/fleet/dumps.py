"""Whole databases into files and back, and from server to server, with `pg_dump` and `pg_restore`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from databases.tenants.states import TenantError

SUFFIX = ".pgdump"
DUMP = ("pg_dump", "--format=custom", "--no-owner", "--no-privileges")
LOAD = ("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")


class DumpError(TenantError):
    """`pg_dump` or `pg_restore` failed."""


def dump(config: dict[str, Any], path: Path) -> None:
    """Write the database into a new file that only this user may read. Raises `DumpError` and `OSError`."""
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as file:
        with _running(DUMP, config, stdout=file):
            pass
        file.flush()
        # The database is dropped afterwards: the archive must not be in the operating system's cache only.
        os.fsync(file.fileno())


def load(path: Path, config: dict[str, Any]) -> None:
    """Fill an empty database from a file that `dump` wrote. Raises `DumpError` and `OSError`."""
    with path.open("rb") as file, _running(LOAD, config, stdin=file):
        pass


def copy(source: dict[str, Any], target: dict[str, Any]) -> None:
    """Fill an empty database from another one, without a file. Raises `DumpError`."""
    with _running(LOAD, target, stdin=subprocess.PIPE) as loading:
        try:
            # Inside the other block: if the dump fails, its error is raised, and loading is killed.
            with _running(DUMP, source, stdout=loading.stdin or subprocess.DEVNULL):
                pass
        finally:
            if loading.stdin:
                loading.stdin.close()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits. Raises `OSError`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


@contextmanager
def _running(command: tuple[str, ...], config: dict[str, Any], **files: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on a database; leaving the block waits until it ends. Raises `DumpError` if it fails."""
    program = command[0]
    if shutil.which(program) is None:
        raise DumpError(f"{program} is not on the PATH: install the client programs of PostgreSQL.")
    # The password is passed in the environment: every user of the machine can read the arguments.
    environment = {**os.environ, **({"PGPASSWORD": config["PASSWORD"]} if config["PASSWORD"] else {})}
    with tempfile.TemporaryFile() as stderr:
        # A program of PostgreSQL, with options that are written above and the operator's own settings.
        process = subprocess.Popen(  # noqa: S603
            [*command, f"--dbname={_address(config)}"], env=environment, stderr=stderr, **files
        )
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        if code:
            stderr.seek(0)
            reason = " ".join(stderr.read(2000).decode(errors="replace").split()) or f"it ended with code {code}"
            raise DumpError(f"{program} failed on {config['NAME']}: {reason}")


def _address(config: dict[str, Any]) -> str:
    """Return a connection string without the password. PostgreSQL manual, 32.1.1."""
    given = {key.lower(): config[key] for key in ("USER", "HOST", "PORT")} | config["OPTIONS"]
    # Django and psycopg have options too, which PostgreSQL's library does not know.
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    return make_conninfo(
        dbname=config["NAME"], **{key: value for key, value in given.items() if key in known and value}
    )
