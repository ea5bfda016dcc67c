"""Which migrations this release has, and which of them a tenant's database lacks."""

from __future__ import annotations

import functools
import hashlib
import inspect

from django.conf import settings
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from databases.registry import roles_of

Key = tuple[str, str]


@functools.cache
def release() -> MigrationLoader:
    """Return the migrations of this release, independent of any database."""
    return MigrationLoader(None)


@functools.cache
def fingerprint() -> str:
    """Return a digest of the migrations of this release. It changes with the text of tenants' migrations too."""
    digest = hashlib.sha256()
    for key, migration in sorted(release().disk_migrations.items()):
        digest.update(repr(key).encode())
        if "tenant" in roles_of(key[0]):
            digest.update(inspect.getsource(inspect.getmodule(type(migration)) or type(migration)).encode())
    return digest.hexdigest()[:16]


def applied_in(connection: BaseDatabaseWrapper) -> frozenset[Key]:
    """Return the migrations that a database has recorded. Raises Django's database errors."""
    recorder = MigrationRecorder(connection)
    try:
        # Not by Django's own method first: it lists all tables before the query, which takes far longer.
        return frozenset(recorder.migration_qs.values_list("app", "name"))
    except DatabaseError:
        return frozenset(recorder.applied_migrations())


def is_complete(applied: frozenset[Key]) -> bool:
    """Return whether a database with this history has nothing to apply and nothing to record."""
    return _kept() <= applied


def unapplied(applied: frozenset[Key]) -> list[str]:
    """Return the migrations of tenants' apps that a database with this history has not applied."""
    return [f"{app}.{name}" for app, name in sorted(_kept() - applied) if "tenant" in roles_of(app)]


def lacking(applied: frozenset[Key]) -> list[Key]:
    """Return the migrations that a database lacks and that must be applied before it is served.

    Needed are all migrations of the tenants' apps. `TENANT_OLDEST_MIGRATIONS` names, by app, the last needed migration,
    or `None` if the app's tables may be missing.
    """
    graph = release().graph
    leaves = {app: name for app, name in graph.leaf_nodes() if "tenant" in roles_of(app)}
    leaves.update(settings.TENANT_OLDEST_MIGRATIONS)
    plans = [graph.forwards_plan((app, name)) for app, name in leaves.items() if name]
    needed = {key for plan in plans for key in plan if "tenant" in roles_of(key[0])}
    return sorted(key for key in needed if not _is_applied(key, applied))


def _is_applied(key: Key, applied: frozenset[Key]) -> bool:
    replaces = release().disk_migrations[key].replaces
    return key in applied or (bool(replaces) and all(_is_applied(each, applied) for each in replaces))


def _kept() -> set[Key]:
    """Return the migrations of this release that no other one replaces."""
    migrations = release().disk_migrations
    return migrations.keys() - {each for migration in migrations.values() for each in migration.replaces}
