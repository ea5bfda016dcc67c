"""Checks that a tenant's database, which someone else made, has the tables and columns of this project's models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.core.management.base import CommandParser
from django.db import connections

from databases.foreign.drift import read_findings
from databases.migrating import Result
from databases.tenants.credentials.store import SETTLED
from databases.tenants.external.credentials import kept, read_password
from databases.tenants.external.source import source_of
from databases.tenants.external.urls import split_user
from databases.tenants.maintenance import maintenance_connection
from databases.tenants.registry import Tenant, find
from databases.tenants.registry_cache import cache
from databases.tenants.states import Status
from databases.tenants.transitions import change, delete_pending


def install() -> None:
    """Do nothing: the app `databases.foreign` refuses commands that would change a database of someone else."""


def refuse_name(database: str) -> None:
    """Accept every name: the owner of the database chose it."""


def migrate_databases(*, pending_only: bool) -> Iterator[Result]:
    """Skip the database of each tenant: its owner migrates it."""
    for tenant in Tenant.objects.all():
        yield Result(tenant.alias, [], skipped="its owner migrates it")


def add_arguments(parser: CommandParser) -> None:
    """Add the options for a database on any server to `create_tenant`."""
    parser.add_argument(
        "--url",
        default="",
        help="its database on any server, such as postgresql://user@host:5432/name; if this names a user, the password "
        "is read from standard input",
    )
    parser.add_argument(
        "--password-env",
        default="",
        metavar="NAME",
        help="name of the environment variable that holds the password in every process",
    )


def place(options: dict[str, Any]) -> dict[str, str]:
    """Return the arguments of `create_tenant` for the options of its command.

    Raises `ValueError` for an invalid URL or user, and for options that exclude each other, and `LookupError` if a
    driver, or the key for passwords, is missing.
    """
    url, database, variable = options["url"], options["database"], options["password_env"]
    if url and database:
        raise ValueError("--url and --database exclude each other: leave one out, a URL names its database.")
    url, user = split_user(url) if url else ("", "")
    if variable and not user:
        raise ValueError("--password-env needs a --url with a user: name one, or use `rotate_credentials`.")
    if not url:
        return {"database": database}
    password = kept(user, "" if variable else read_password(), variable) if user else ""
    return {"database": url, "user": user, "password": password}


def correct(tenant: Tenant, **place: str) -> Tenant:
    """Give a tenant another database, and return its row.

    Unless it is pending, that database is checked first. Arguments: the tenant, and new values of columns. Raises
    `StateError`, `ValueError` if the row was changed meanwhile, and what `make_ready` raises.
    """
    if not tenant.server and place["server"]:
        # The credentials for a URL must not be sent to another server.
        place = {"user": "", "password": "", **place}
    if tenant.status == Status.PENDING:
        with suppress(AttributeError):
            # This thread's connection has the old address.
            del connections[tenant.alias]
        return change(tenant.slug, "correct", **place)
    before = {column: getattr(tenant, column) for column in place}
    for column, value in place.items():
        setattr(tenant, column, value)
    with maintenance_connection(tenant.alias, tenant.connection_settings()):
        make_ready(tenant)
    if not Tenant.objects.filter(pk=tenant.pk, status__in=SETTLED, **before).update(**place):
        raise ValueError(f"The tenant {tenant.slug!r} was changed by another process in the meantime: run this again.")
    cache.forget(tenant.slug)
    return find(tenant.slug)


def purge(tenant: Tenant) -> None:
    """Delete the row of a pending tenant; its database is its owner's. Raises `StateError`."""
    delete_pending(tenant)


def make_ready(tenant: Tenant) -> None:
    """Check the database, and change nothing.

    Raises `LookupError` that names a missing file, or tables and columns that cannot be read, and Django's database
    errors if the server is unavailable.
    """
    findings = [each for each in read_findings(source_of(tenant)) if each.kind.startswith(("missing", "unreadable"))]
    if findings:
        found = "; ".join(f"{each.model}: {each.message}" for each in findings)
        raise LookupError(f"The database of {tenant.alias!r} lacks what models read: {found}. Ask its owner.")
