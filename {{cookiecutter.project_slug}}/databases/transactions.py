"""Transactions on the database that a model is written to, and a detector of writes that no transaction covers.

The detector runs in development and tests (`DETECT_UNCOVERED_WRITES`). It refuses a write to database A inside
`atomic()` on database B alone. It inspects statements, so it sees `.using()` and raw cursors too.

Limitations: it misses `get_or_create()` and `update_or_create()`, because Django opens an inner transaction for them
that looks like yours. It takes a block of yours with `savepoint=False` for one of Django's, and so for no transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import Model
from django.db.transaction import Atomic, TransactionManagementError

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "TRUNCATE")
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
    if _is_write(str(sql)) and not _opened_by_caller(connection):
        for other in connections.all(initialized_only=True):
            if other.alias != connection.alias and _opened_by_caller(other):
                raise TransactionManagementError(
                    f"A write to {connection.alias!r} inside atomic() on {other.alias!r} would survive its rollback. "
                    f"Open the transaction with atomic_for(Model) or atomic(using={connection.alias!r})."
                )
    return execute(sql, params, many, context)


def _is_write(sql: str) -> bool:
    return sql.lstrip().upper().startswith(WRITES) and ADMIN_LOG not in sql


def _opened_by_caller(connection: BaseDatabaseWrapper) -> bool:
    # Django's inner blocks have no savepoint. The blocks around a TestCase cover every database of the test.
    blocks: list[Any] = connection.atomic_blocks
    return any(block.savepoint and not block._from_testcase for block in blocks)
