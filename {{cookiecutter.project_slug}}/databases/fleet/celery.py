"""Commands for many tenants by Celery, each as a task in the queue of its tenant's server."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import Any

from celery import group, shared_task
from celery.result import GroupResult
from celery.states import READY_STATES
from django.core.management import call_command
from django.db import InterfaceError, OperationalError

from databases.tenants.maintenance import maintenance_settings, server_cursor
from databases.tenants.managed.migrate import migrate_tenant, statuses_without_database
from databases.tenants.registry import Tenant, find
from databases.tenants.states import TenantError
from databases.tenants.transitions import refuse

OUTAGES = (OperationalError, InterfaceError)
MIGRATE = "migrate_tenants"


def fan_out(command: str, slugs: Iterable[str], *words: str) -> GroupResult:
    """Send a task for each tenant that runs the command with the slug as its first word, then these words.

    The task is in the queue `tenants.<server>`. Sends nothing and raises `UnknownTenantError` for an unknown slug,
    `StateError` for a tenant that has no database, and `ValueError` for other words of `migrate_tenants`.
    """
    if command == MIGRATE and words:
        raise ValueError(f"{MIGRATE} takes no options here: {' '.join(words)}. Leave them out.")
    wanted = list(dict.fromkeys(slugs))
    known = Tenant.objects.in_bulk(wanted, field_name="slug")
    tenants = [known.get(slug) or find(slug) for slug in wanted]
    for tenant in tenants:
        if tenant.status in statuses_without_database():
            refuse(tenant, f"run {command} for")
    tasks = [run.si(tenant.slug, command, *words).set(queue=f"tenants.{tenant.server}") for tenant in tenants]
    return group(tasks).apply_async()


def progress(result: GroupResult) -> str:
    """Return how many tasks have ended, such as `5 of 9, 1 failed`. Those that wait for a retry have not."""
    states = [each.state for each in result.results]
    return f"{sum(state in READY_STATES for state in states)} of {len(states)}, {states.count('FAILURE')} failed"


@shared_task(autoretry_for=OUTAGES, retry_backoff=True, max_retries=10, ignore_result=False)
def run(slug: str, command: str, *words: str) -> str:
    """Run a command for a tenant, and return its output. It is tried again, ever later, after an outage."""
    try:
        return _run(slug, command, words)
    except Exception as error:
        if isinstance(error.__cause__, OUTAGES):
            raise error.__cause__ from error
        # Commands report outages in their own ways. This is an error of OUTAGES if a server is still down.
        tenant = find(slug)
        with server_cursor(tenant.alias, maintenance_settings(tenant)):
            raise


def _run(slug: str, command: str, words: tuple[Any, ...]) -> str:
    if command == MIGRATE:
        # The command lets no other process migrate any tenant meanwhile.
        outcome = migrate_tenant(slug)
        if outcome.error:
            raise TenantError(f"{slug}: {outcome.error}")
        return str(outcome)
    output = StringIO()
    call_command(command, slug, *words, stdout=output)
    return output.getvalue()
