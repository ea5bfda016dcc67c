"""Migrates tenants in several processes, which pays for hundreds of tenants on a machine with many cores.

A process imports this module before it has loaded the apps, so this module imports modules with models in functions.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from databases.tenants.managed.migrate import Outcome
    from databases.tenants.registry import Tenant


def migrate_in_processes(tenants: list[Tenant], jobs: int) -> Iterator[Outcome]:
    """Migrate tenants in this number of processes, and yield their outcomes."""
    from databases.tenants.managed.migrate import Outcome

    slugs = [tenant.slug for tenant in tenants]
    size = max(1, math.ceil(len(slugs) / (4 * jobs)))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=begin) as pool:
        parts = [slugs[start : start + size] for start in range(0, len(slugs), size)]
        works = {pool.submit(_migrate_some, part): part for part in parts}
        for work in as_completed(works):
            try:
                yield from work.result()
            except Exception as error:
                # The process has died. Some of its tenants may be migrated, but it reported none.
                yield from (Outcome(slug, [], 0, f"its process ended: {error}") for slug in works[work])


def begin() -> None:
    """Prepare a process that was started to migrate tenants. It ends with its parent, also if that is killed."""
    # Else it would go on to migrate after the lock of the command has ended, beside the next run.
    threading.Thread(target=_end_with, args=[parent_process()], daemon=True).start()
    django.setup()


def _end_with(parent: Any) -> None:
    parent.join()
    # sys.exit() would only end this thread. The server rolls back what is not committed.
    os._exit(1)


def _migrate_some(slugs: list[str]) -> list[Outcome]:
    from databases.tenants.managed.migrate import migrate_slugs

    return list(migrate_slugs(slugs))
