"""Metrics for Prometheus: statements, errors, connections, replicas, tenants by status and pending migrations.

Each process counts what it sends. The databases are asked when Prometheus reads the page `/metrics`, each by a separate
thread, so one that is down or hangs delays the page by at most `ANSWER_SECONDS`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable
from importlib import import_module
from math import nan
from threading import Thread, current_thread
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from databases.registry import own_role, role_of_alias, roles_of

PAGE = "/metrics"
#: Seconds for which the page waits for all databases together.
ANSWER_SECONDS = 2
#: The folder in which processes share their metrics. Each counts its connections once in so many seconds.
SHARED, COUNT_SECONDS = "PROMETHEUS_MULTIPROC_DIR", 1
#: The names of the threads that ask databases begin so.
THREAD = "metrics of "

DATABASE = ["alias", "role"]
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SECONDS = Histogram("database_query_seconds", "Duration of statements.", DATABASE, buckets=BUCKETS)
ERRORS = Counter("database_errors", "Statements that raised an error.", [*DATABASE, "error"])
IN_USE = Gauge("database_connections_in_use", "Connections in use.", DATABASE, multiprocess_mode="livesum")
LIMIT = Gauge("database_connections_limit", "The most connections.", DATABASE, multiprocess_mode="livesum")
# Whichever process was asked last knows these.
gauge = functools.partial(Gauge, multiprocess_mode="mostrecent")
UP = gauge("database_up", "1 if the database has answered in time.", DATABASE)
PENDING = gauge("database_migrations_pending", "Migrations to apply.", DATABASE)
HEALTHY = gauge("database_replica_healthy", "1 if the replica may be read.", DATABASE)
LAG = gauge("database_replica_lag_seconds", "How far the replica is behind, at most.", DATABASE)
TENANTS = gauge("database_tenants", "Tenants by status.", ["status"])

_threads: dict[str, Thread] = {}


@sync_and_async_middleware
def middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Measure every connection opened from now on, and answer `/metrics` before other middleware needs a database.

    Raises `ValueError` if `PROMETHEUS_MULTIPROC_DIR` names no folder.
    """
    counted()
    connection_created.connect(_watch, dispatch_uid="databases.metrics")
    if not iscoroutinefunction(get_response):
        return lambda request: page(request) if _is_page(request) else get_response(request)

    async def respond(request: HttpRequest) -> Any:
        return await (sync_to_async(page)(request) if _is_page(request) else get_response(request))

    return respond


def _is_page(request: HttpRequest) -> bool:
    # Without a token there is no page.
    return request.path_info == PAGE and bool(getattr(settings, "METRICS_TOKEN", ""))


def page(request: HttpRequest) -> HttpResponse:
    """Return all metrics, if the request has the token."""
    token = f"Bearer {getattr(settings, 'METRICS_TOKEN', '')}"
    if not constant_time_compare(request.headers.get("Authorization", ""), token):
        return HttpResponse("Send METRICS_TOKEN as a bearer token.\n", "text/plain", 401)
    count_connections()
    deadline = time.monotonic() + ANSWER_SECONDS
    # One that hangs still has the thread of an earlier page.
    asked = {alias: _running(alias, functools.partial(ask, alias)) for alias in connections}
    for alias, thread in asked.items():
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            UP.labels(*labels_of(alias)).set(0)
    return HttpResponse(generate_latest(counted()), CONTENT_TYPE_LATEST)


def counted() -> Collector:
    """Return the metrics of this process, or of all processes that share a folder."""
    return MultiProcessCollector(None) if SHARED in os.environ else REGISTRY


@functools.lru_cache(maxsize=1000)
def labels_of(alias: str) -> tuple[str, str]:
    """Return the alias and the role. Tenants share one alias, except those in the setting `METRICS_TENANTS`."""
    try:
        role = role_of_alias(alias)
    except LookupError:
        role = "?"
    # Each alias has 17 series and more: 10,000 tenants would have 170,000.
    is_named = alias.removeprefix("tenant_") in getattr(settings, "METRICS_TENANTS", [])
    return "tenant_*" if role == "tenant" and not is_named else alias, role


def _watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    # What the page asks is not the project's work.
    if _measure not in connection.execute_wrappers and not current_thread().name.startswith(THREAD):
        connection.execute_wrappers.append(_measure)
    if SHARED in os.environ:
        # Python refuses new threads when it ends.
        with contextlib.suppress(RuntimeError):
            _running("all connections", _count_repeatedly)


def _measure(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    labels, start = labels_of(context["connection"].alias), time.perf_counter()
    try:
        return execute(sql, params, many, context)
    except Exception as error:
        with contextlib.suppress(OSError):
            ERRORS.labels(*labels, type(error).__name__).inc()
        raise
    finally:
        # A shared folder that is full or gone must not fail the statement.
        with contextlib.suppress(OSError):
            SECONDS.labels(*labels).observe(time.perf_counter() - start)


def _count_repeatedly() -> None:
    while True:
        count_connections()
        time.sleep(COUNT_SECONDS)


def count_connections() -> None:
    """Set the gauges of this process's pools. Connections without a pool are not counted."""
    for alias in connections:
        if pool := getattr(connections[alias], "pool", None):
            found = pool.get_stats()
            IN_USE.labels(*labels_of(alias)).set(found["pool_size"] - found["pool_available"])
            LIMIT.labels(*labels_of(alias)).set(found["pool_max"])
    if apps.is_installed("databases.tenants"):
        IN_USE.labels("tenant_*", "tenant").set(import_module("databases.tenants.pool").pool.counts()[0])
        LIMIT.labels("tenant_*", "tenant").set(getattr(settings, "TENANT_CONNECTIONS", 0))


def ask(alias: str) -> None:
    """Ask a database, and set its gauges. It is up if it answers everything."""
    connection, labels, is_up = connections[alias], labels_of(alias), False
    try:
        if labels[1] == "replica":
            status = import_module("databases.replicas.health").status_of(alias)
            HEALTHY.labels(*labels).set(status["healthy"])
            LAG.labels(*labels).set(status.get("lag_seconds", nan))
        if alias in settings.OWN_DATABASES:
            applied = MigrationRecorder(connection).applied_migrations()
            PENDING.labels(*labels).set(len(migrations_of(own_role(alias)) - applied.keys()))
        if alias == DEFAULT_DB_ALIAS and apps.is_installed("databases.tenants"):
            tenants = import_module("databases.tenants.registry").Tenant._base_manager.using(alias)
            found = dict(tenants.order_by().values_list("status").annotate(Count("pk")))
            for status in import_module("databases.tenants.states").STATES:
                TENANTS.labels(status).set(found.get(status, 0))
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        is_up = True
    except Error:
        # Messages of drivers quote addresses and users.
        pass
    finally:
        UP.labels(*labels).set(is_up)
        connections.close_all()


@functools.cache
def migrations_of(role: str) -> frozenset[tuple[str, str]]:
    """Return the migrations of a role's apps."""
    on_disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    return frozenset(key for key in on_disk if role in roles_of(key[0]))


def _running(what: str, work: Callable[[], None]) -> Thread:
    """Return the thread that does this. Start it unless it runs: a forked process has no thread of its parent."""
    thread = _threads.get(what)
    if thread is None or not thread.is_alive():
        thread = _threads[what] = Thread(target=work, name=f"{THREAD}{what}", daemon=True)
        thread.start()
    return thread
