"""Transactions on the database that a model is written to, and a detector of writes that no transaction covers.

The detector runs in development and tests (`DETECT_UNCOVERED_WRITES`). It refuses a write to database A inside
`atomic()` on database B alone. It inspects statements, so it sees `.using()` and raw cursors too. A write that shall
survive a rollback of B, such as a line of an audit log, says so by its own `atomic_for()`.

Limitation: it takes a block of yours with `savepoint=False` for one of Django's, and so for no transaction.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import Model, QuerySet
from django.db.transaction import Atomic, TransactionManagementError

from databases.statements import changes_rows, text_of

#: Methods of Django that open a transaction with a savepoint, like yours.
OPENERS = {QuerySet.get_or_create.__code__, QuerySet.update_or_create.__code__}
#: The admin changes a row in a transaction on that row's database, and logs the change in this table of the primary.
ADMIN_LOG = "django_admin_log"


def atomic_for(model: type[Model], *, savepoint: bool = True, durable: bool = False) -> Atomic:
    """Return `transaction.atomic()` on the database that a write of `model` goes to now.

    A plain `atomic()` opens on `default`: it does not roll back a row that a router sends elsewhere (Django ticket
    35349). Arguments: the model, and `savepoint` and `durable` as in Django. Raises the router's error if the model
    may not be written now.
    """
    return transaction.atomic(using=router.db_for_write(model), savepoint=savepoint, durable=durable)


def on_commit_for(model: type[Model], function: Callable[[], object], *, robust: bool = False) -> None:
    """Call `transaction.on_commit()` on the database that a write of `model` goes to now.

    A plain `on_commit()` waits for `default`, so it calls the function at once inside a transaction on another
    database. Arguments: the model, and the function and `robust` as in Django. Raises the router's error if the model
    may not be written now.
    """
    transaction.on_commit(function, using=router.db_for_write(model), robust=robust)


def install() -> None:
    """Attach the detector to every connection opened from now on."""
    connection_created.connect(_watch, dispatch_uid="databases.transactions")


def _watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if settings.DETECT_UNCOVERED_WRITES and _refuse_uncovered not in connection.execute_wrappers:
        connection.execute_wrappers.append(_refuse_uncovered)


def _refuse_uncovered(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    connection = context["connection"]
    open_elsewhere = [
        each.alias
        for each in connections.all(initialized_only=True)
        if each.alias != connection.alias and _opened_by_caller(each)
    ]
    if open_elsewhere and _is_write(text_of(sql)) and not _opened_by_caller(connection):
        raise TransactionManagementError(
            f"A write to {connection.alias!r} inside atomic() on {open_elsewhere[0]!r} would survive its rollback. "
            f"Open the transaction with atomic_for(Model) or atomic(using={connection.alias!r})."
        )
    return execute(sql, params, many, context)


def _is_write(sql: str) -> bool:
    return changes_rows(sql) and ADMIN_LOG not in sql


def _opened_by_caller(connection: BaseDatabaseWrapper) -> bool:
    # Django's inner blocks have no savepoint. The blocks around a TestCase cover every database of the test.
    blocks: list[Any] = connection.atomic_blocks
    found = [block for block in blocks if block.savepoint and not block._from_testcase]
    return bool(found) and len(found) > _opened_by_methods(connection.alias)


def _opened_by_methods(alias: str) -> int:
    """Return how many calls of `OPENERS` for a database are under way."""
    found, frame = 0, sys._getframe()
    while frame.f_back:
        frame = frame.f_back
        found += frame.f_code in OPENERS and frame.f_locals["self"].db == alias
    return found
