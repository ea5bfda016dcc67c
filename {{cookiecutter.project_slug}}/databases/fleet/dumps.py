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

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from databases.migrating import one_line
from databases.tenants.maintenance import SECONDS
from databases.tenants.states import TenantError

SUFFIX = ".pgdump"
#: Seconds for which it waits for a lock, for example of a prepared transaction.
DUMP = ("pg_dump", "--format=custom", "--no-owner", "--lock-wait-timeout=60s")
LOAD = ("pg_restore", "--no-owner", "--exit-on-error", "--single-transaction")


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


def copy(source: dict[str, Any], target: dict[str, Any], *options: str) -> None:
    """Fill an empty database from another one, without a file. Raises `DumpError`. `options`: of `pg_dump`."""
    version = _version(target)
    if _version(source) > version:
        raise DumpError(f"The new server is PostgreSQL {version}, older than the tenant's own: name a newer server.")
    with _running(LOAD, target, stdin=subprocess.PIPE) as loading:
        try:
            # Inside the other block: if the dump fails, its error is raised, and loading is killed.
            dumping = (*DUMP, "--compress=0", *options)
            with _running(dumping, source, version, stdout=loading.stdin or subprocess.DEVNULL):
                pass
        except DumpError:
            # If loading has failed, its error says why: this one is only that its pipe is broken.
            if not _has_failed(loading):
                raise
        finally:
            if loading.stdin:
                loading.stdin.close()


def _has_failed(loading: subprocess.Popen[bytes]) -> bool:
    try:
        return loading.wait(1) != 0
    except subprocess.TimeoutExpired:
        # It waits for more.
        return False


def objects(config: dict[str, Any]) -> list[str]:
    """Return the objects of a database, such as `TABLE public note`, without their owners. Raises `DumpError`."""
    with tempfile.NamedTemporaryFile() as file:
        with _running((*DUMP, "--schema-only"), config, stdout=file):
            pass
        program = shutil.which("pg_restore", path=_path(_version(config)))
        # Needs no server.
        listed = subprocess.run([str(program), "--list", file.name], capture_output=True, check=True, text=True).stdout  # noqa: S603
    lines = [line for line in listed.splitlines() if line and not line.startswith(";")]
    # Two numbers and the owner differ from database to database.
    found = {line.split(" ", 3)[3].rpartition(" ")[0] for line in lines}
    # Each database has it. It is listed only if it was dropped and made again.
    return sorted(found - {"SCHEMA - public"})


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits. Raises `OSError`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


@contextmanager
def _running(
    command: tuple[str, ...], config: dict[str, Any], version: int = 0, **files: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on a database; leaving the block waits until it ends. Raises `DumpError` if it fails.

    Argument `version`: that of the program; the server's, if not given.
    """
    program, version = command[0], version or _version(config)
    found = shutil.which(program, path=_path(version))
    if found is None:
        raise DumpError(f"{program} is not on the PATH: install the client programs of PostgreSQL {version}.")
    # The password is passed in the environment: every user of the machine can read the arguments.
    environment = {**os.environ, **({"PGPASSWORD": config["PASSWORD"]} if config["PASSWORD"] else {})}
    with tempfile.TemporaryFile() as stderr:
        # A program of PostgreSQL, with options that are written above and the operator's own settings.
        process = subprocess.Popen(  # noqa: S603
            [*command, f"--dbname={address(config)}"], executable=found, env=environment, stderr=stderr, **files
        )
        try:
            yield process
            code = process.wait(SECONDS["work"])
        except subprocess.TimeoutExpired as error:
            raise DumpError(
                f"{program} did not end within {SECONDS['work']:g} s on {config['NAME']}: see what it waits for there, "
                "and run this again."
            ) from error
        finally:
            # Nothing happens if it has ended.
            process.kill()
            process.wait()
        if code:
            stderr.seek(0)
            reason = " ".join(stderr.read(2000).decode(errors="replace").split()) or f"it ended with code {code}"
            if "unrecognized configuration parameter" in reason:
                reason = f"it is newer than the server: install the client programs of PostgreSQL {version}"
            raise DumpError(f"{program} failed on {config['NAME']}: {reason}")


def _version(config: dict[str, Any]) -> int:
    """Return the major version of a database's server."""
    try:
        with psycopg.connect(address(config, password=config["PASSWORD"])) as connection:
            return connection.info.server_version // 10000
    except psycopg.Error as error:
        raise DumpError(f"{config['NAME']} cannot be reached: {one_line(error)}") from error


def _path(version: int) -> str:
    """Return a PATH on which the programs of a version come first, where systems have several."""
    folders = (f"/usr/lib/postgresql/{version}/bin", f"/usr/pgsql-{version}/bin")
    return os.pathsep.join((*folders, os.environ.get("PATH", "")))


def address(config: dict[str, Any], **more: str) -> str:
    """Return a connection string, which holds a password only if one is passed. PostgreSQL manual, 32.1.1."""
    given = {key.lower(): config[key] for key in ("USER", "HOST", "PORT")} | config["OPTIONS"]
    # Django and psycopg have options too, which PostgreSQL's library does not know.
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    return make_conninfo(
        dbname=config["NAME"], **{key: value for key, value in given.items() if key in known and value}, **more
    )
