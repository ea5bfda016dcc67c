"""Transactions where the writes go."""

from __future__ import annotations

from collections.abc import Callable

from django.db import router, transaction
from django.db.models import Model
from django.db.transaction import Atomic


def atomic_for(model: type[Model], *, savepoint: bool = True, durable: bool = False) -> Atomic:
    """Return `transaction.atomic()` on the database that a write of `model` goes to now.

    A bare `atomic()` opens on `default`, and a row that a router sends elsewhere survives its rollback (Django ticket
    35349). Arguments: the model, and `savepoint` and `durable` as in Django. Raises what the model's router raises
    where it may not be written now.
    """
    return transaction.atomic(using=router.db_for_write(model), savepoint=savepoint, durable=durable)


def on_commit_for(model: type[Model], function: Callable[[], object], *, robust: bool = False) -> None:
    """Call `transaction.on_commit()` on the database that a write of `model` goes to now.

    A bare `on_commit()` waits for `default`, and so runs at once under a transaction on another database. Arguments:
    the model, and the function and `robust` as in Django. Raises what the model's router raises where it may not be
    written now.
    """
    transaction.on_commit(function, using=router.db_for_write(model), robust=robust)
