"""What commands on tenants share: errors of one line, work on one tenant, and work on one tenant after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from databases.migrating import one_line
from databases.tenants.context import CrossTenantError, UnknownTenantError
from databases.tenants.leases import opened
from databases.tenants.registry import Tenant, find
from databases.tenants.states import TenantError

logger = logging.getLogger(__name__)

#: Errors of which the message is shown, without a traceback.
EXPECTED = (
    TenantError,
    CrossTenantError,
    ValueError,
    LookupError,
    OSError,
    DatabaseError,
    ImproperlyConfigured,
    ValidationError,
)


class TenantCommand(BaseCommand):
    """A command on one tenant. Its method `run` does the work, and returns what to write about the tenant."""

    run: Callable[..., str]
    #: What to say before work that takes its time.
    doing = ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")

    def handle(self, *, slug: str, **options: Any) -> None:
        if self.doing:
            self.stderr.write(f"{slug}: {self.doing} …", str)
        with command_errors(slug):
            self.stdout.write(f"{slug}: {self.run(slug, **options)}")


@contextmanager
def command_errors(slug: str) -> Iterator[None]:
    """Within the block, expected errors become `CommandError`s that name the tenant."""
    try:
        yield
    except EXPECTED as error:
        raise CommandError(f"{slug}: {one_line(error)}") from error


def select_tenants(slugs: list[str]) -> list[Tenant]:
    """Return the tenants with these slugs, or all tenants for an empty list. Raises `CommandError` for unknown ones."""
    try:
        return [find(slug) for slug in slugs] if slugs else list(Tenant.objects.all())
    except UnknownTenantError as error:
        raise CommandError(str(error)) from error


def for_each(tenants: list[Tenant], work: Callable[[Tenant], object], report: Callable[[str], object]) -> list[str]:
    """Do the work for one tenant after the other, and return the slugs of the tenants for which it failed.

    Arguments: the tenants, the work, and a function that takes a line of text: it is called once per tenant. Errors are
    logged with their traceback, at level DEBUG.
    """
    failed = []
    for number, tenant in enumerate(tenants, start=1):
        try:
            work(tenant)
        # Some commands end their process to say that something is to be done, such as `migrate --check`.
        except (Exception, SystemExit) as error:
            logger.debug("Work for the tenant %s failed", tenant.slug, exc_info=True)
            failed.append(tenant.slug)
            outcome = f"failed: {f'exit code {error.code}' if isinstance(error, SystemExit) else error}"
        else:
            outcome = "done"
        report(f"[{number}/{len(tenants)}] {tenant.slug}: {outcome}")
        # Else a run over thousands of tenants would open thousands of connections.
        opened.give_back()
    return failed
