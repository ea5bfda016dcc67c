"""Whole databases into files and back, and from server to server, by the programs that come with the servers."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.utils import load_backend

from .states import TenantError

#: What archives of an engine are called, by its vendor.
SUFFIXES = {"sqlite": ".sqlite3", "postgresql": ".pgdump", "mysql": ".sql"}
VENDORS = {suffix: vendor for vendor, suffix in SUFFIXES.items()}
#: For each vendor, the programs of which one must be there, and what they are told.
DUMP = {
    "postgresql": (["pg_dump"], ["--format=custom", "--no-owner", "--no-privileges"]),
    "mysql": (
        ["mariadb-dump", "mysqldump"],
        ["--single-transaction", "--no-tablespaces", "--routines", "--triggers", "--hex-blob", "--skip-comments"],
    ),
}
LOAD = {
    "postgresql": (["pg_restore"], ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]),
    "mysql": (["mariadb", "mysql"], []),
}


class DumpError(TenantError):
    """A database was not dumped or not loaded."""


def vendor_of(config: dict[str, Any]) -> str:
    """Return Django's word for the engine of these settings, such as `postgresql`."""
    # By its name: the driver of an engine that no tenant is on need not be installed.
    return str(config["ENGINE"]).rpartition(".")[2].removesuffix("3")


def refuse_server(server: str, vendor: str) -> None:
    """Raise `ValueError` for a server that is not there, or is not of this engine."""
    if server not in settings.TENANT_SERVERS:
        raise ValueError(f"There is no server {server!r}: name one of {', '.join(settings.TENANT_SERVERS)}.")
    if vendor_of(settings.TENANT_SERVERS[server]) != vendor:
        raise ValueError(f"The server {server!r} is not of the engine {vendor}: a tenant stays on the one it has.")


def dump(config: dict[str, Any], path: Path) -> None:
    """Write the database into a new file that only this user may read. Raises `DumpError` and `OSError`."""
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as file:
        if vendor_of(config) == "sqlite":
            _copy_sqlite(config["NAME"], str(path))
        else:
            with _running(DUMP, config, stdout=file):
                pass
        file.flush()
        # What is dropped after this must not outlive it in a cache alone.
        os.fsync(file.fileno())


def load(path: Path, config: dict[str, Any]) -> None:
    """Fill an empty database from a file that `dump` wrote. Raises `DumpError` and `OSError`."""
    if vendor_of(config) == "sqlite":
        _copy_sqlite(str(path), config["NAME"])
        return
    with path.open("rb") as file, _running(LOAD, config, stdin=file):
        pass


def copy(source: dict[str, Any], target: dict[str, Any]) -> None:
    """Fill an empty database from another one of the same engine, with no file in between. Raises `DumpError`."""
    if vendor_of(source) == "sqlite":
        _copy_sqlite(source["NAME"], target["NAME"])
        return
    # The inner one first: once the dump has failed, what was loaded is of no interest.
    with _running(LOAD, target, stdin=subprocess.PIPE) as loading:
        try:
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
def _running(
    programs: dict[str, tuple[list[str], list[str]]], config: dict[str, Any], **files: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on a database; leaving the block waits for its end. Raises `DumpError` where it fails."""
    names, options = programs[vendor_of(config)]
    program = next(filter(shutil.which, names), None)
    if program is None:
        raise DumpError(f"{' or '.join(names)} is not on the PATH: install the client programs of the server.")
    # Django knows how to name a database to the programs of its engine: the password goes into the environment.
    client = load_backend(config["ENGINE"]).DatabaseWrapper.client_class
    # It reads the address where settings have it; a URL may have it among the driver's options, as sockets must.
    given = {key.upper(): value for key, value in config["OPTIONS"].items() if key in ("host", "port")}
    words, environment = client.settings_to_cmd_args_env({**config, **given}, [])
    place = [f"--dbname={words[-1]}"] if program == "pg_restore" else words[-1:]
    # A defaults file must be the first of the arguments.
    command = [program, *words[1:-1], *options, *place]
    with tempfile.TemporaryFile() as said:
        # Programs of the server, with options of ours and settings of the operator's.
        process = subprocess.Popen(  # noqa: S603
            command, env={**os.environ, **(environment or {})}, stderr=said, **files
        )
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        if code:
            said.seek(0)
            reason = " ".join(said.read(2000).decode(errors="replace").split()) or f"it ended with code {code}"
            raise DumpError(f"{program} failed on {config['NAME']}: {reason}")


def _copy_sqlite(source: str, target: str) -> None:
    if not Path(source).exists():
        raise DumpError(f"There is no file {source}.")
    try:
        with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
            one.backup(other)
    except sqlite3.Error as error:
        raise DumpError(f"Copying {source} to {target} failed: {error}") from error
