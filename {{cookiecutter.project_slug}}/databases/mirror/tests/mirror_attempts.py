"""Attempts to write to the mirror, each in a new session: what a program may do by mistake or deliberately."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections, connections, transaction

from databases.mirror.tests.library.models import Material, Subject
from databases.mirror.tests.people.models import Member, Organisation

Attempt = Callable[[], object]

INSERT = "INSERT INTO layer_people_organisation (name) VALUES ('hidden')"


def raw(*statements: str) -> Attempt:
    """Return an attempt that sends statements by a cursor."""

    def send() -> None:
        with connections["mirror"].cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    return send


def in_one_string(statements: str) -> Attempt:
    def send() -> None:
        with connections["mirror"].cursor() as cursor:
            cursor.execute(statements)
            # MySQL reports the error of a later statement with its result.
            while cursor.nextset():
                pass

    return send


def in_a_transaction(*statements: str) -> Attempt:
    def send() -> None:
        with transaction.atomic(using="mirror"):
            raw(*statements)()

    return send


def in_a_thread() -> None:
    errors: list[Exception] = []

    def work() -> None:
        try:
            raw(INSERT)()
        except Exception as error:
            errors.append(error)
        finally:
            connections["mirror"].close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    for error in errors:
        raise error


def in_a_coroutine(work: Callable[[], Awaitable[object]]) -> Attempt:
    async def run() -> None:
        try:
            await work()
        finally:
            # Coroutines run queries in another thread, which has its own connection.
            await sync_to_async(lambda: connections["mirror"].close())()

    return lambda: asyncio.run(run())


def after_close() -> None:
    connections["mirror"].ensure_connection()
    connections["mirror"].close()
    raw(INSERT)()


def after_close_old_connections() -> None:
    connections["mirror"].ensure_connection()
    connections["mirror"].close_at = 0
    close_old_connections()
    raw(INSERT)()


def after_a_lost_connection() -> None:
    connection = connections["mirror"]
    connection.ensure_connection()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
    with suppress(DatabaseError):
        raw("SELECT 1")()
    connection.close_if_unusable_or_obsolete()
    raw(INSERT)()


def server_side_cursor(statement: str) -> Attempt:
    def send() -> None:
        with transaction.atomic(using="mirror"), connections["mirror"].chunked_cursor() as cursor:
            cursor.execute(statement)
            cursor.fetchall()

    return send


def many() -> None:
    with connections["mirror"].cursor() as cursor:
        cursor.executemany("INSERT INTO layer_people_organisation (name) VALUES (%s)", [("hidden",), ("hidden",)])


def through_the_driver(*statements: str) -> Attempt:
    """Return an attempt that sends statements by the driver's cursor, which bypasses Django's."""

    def send() -> None:
        connections["mirror"].ensure_connection()
        cursor = connections["mirror"].connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        connections["mirror"].connection.commit()

    return send


def first() -> Organisation:
    return Organisation.objects.earliest("pk")


def renamed() -> Organisation:
    organisation = first()
    organisation.name = "hidden"
    return organisation


def material() -> Material:
    return Material.objects.using("mirror").earliest("pk")


def other_subject() -> Subject:
    return Subject.objects.latest("pk")


HIDDEN = {"name": "hidden"}
#: Django's ORM, used without naming a database.
ORM: dict[str, Attempt] = {
    "`save()`": lambda: renamed().save(),
    "`create()`": lambda: Organisation.objects.create(name="hidden"),
    "`acreate()`": in_a_coroutine(lambda: Organisation.objects.acreate(name="hidden")),
    "`get_or_create()`": lambda: Organisation.objects.get_or_create(name="hidden"),
    "`update_or_create()`": lambda: Organisation.objects.update_or_create(pk=first().pk, defaults=HIDDEN),
    "`bulk_create()`": lambda: Organisation.objects.bulk_create([Organisation(name="hidden")]),
    "`bulk_update()`": lambda: Organisation.objects.bulk_update([renamed()], ["name"]),
    "`update()`": lambda: Organisation.objects.update(name="hidden"),
    "`delete()` of a queryset": lambda: Member.objects.all().delete(),
    "`delete()` of an object": lambda: Member.objects.earliest("pk").delete(),
    "many-to-many `add()`": lambda: material().subjects.add(other_subject()),
    "many-to-many `set()`": lambda: material().subjects.set([other_subject()]),
    "many-to-many `clear()`": lambda: material().subjects.clear(),
}
#: Django's ORM, past the routers.
USING: dict[str, Attempt] = {
    "`save(using=)`": lambda: renamed().save(using="mirror"),
    "`delete(using=)`": lambda: Member.objects.earliest("pk").delete(using="mirror"),
    "`using().create()`": lambda: Organisation.objects.using("mirror").create(name="hidden"),
    "`using().get_or_create()`": lambda: Organisation.objects.using("mirror").get_or_create(name="hidden"),
    "`using().update_or_create()`": lambda: Organisation.objects.using("mirror").update_or_create(
        pk=first().pk, defaults=HIDDEN
    ),
    "`using().bulk_create()`": lambda: Organisation.objects.using("mirror").bulk_create([Organisation(name="hidden")]),
    "`using().bulk_update()`": lambda: Organisation.objects.using("mirror").bulk_update([renamed()], ["name"]),
    "`using().update()`": lambda: Organisation.objects.using("mirror").update(name="hidden"),
    "`using().delete()`": lambda: Member.objects.using("mirror").all().delete(),
    "`using().raw()`": lambda: list(Organisation.objects.using("mirror").raw(f"{INSERT} RETURNING id, name")),
}
RAW: dict[str, Attempt] = {
    "`INSERT`": raw(INSERT),
    "`INSERT`, lower case, no spaces": raw("insert into layer_people_organisation(name)values('hidden')"),
    "`INSERT` behind a comment": raw(f"/* SELECT */ {INSERT}"),
    "`executemany()`": many,
    "`UPDATE`": raw("UPDATE layer_people_organisation SET name = 'hidden'"),
    "`DELETE`": raw("DELETE FROM layer_library_material_subjects"),
    "`CREATE TABLE`": raw("CREATE TABLE ours (hidden INTEGER)"),
    "`CREATE TABLE … AS SELECT`": raw("CREATE TABLE ours AS SELECT id FROM layer_people_organisation"),
    "`CREATE INDEX`": raw("CREATE INDEX ours ON layer_people_organisation (name)"),
    "`CREATE VIEW`": raw("CREATE VIEW ours AS SELECT id FROM layer_people_organisation"),
    "`ALTER TABLE`": raw("ALTER TABLE layer_people_organisation ADD COLUMN ours INTEGER"),
    "`DROP TABLE`": raw("DROP TABLE layer_library_section"),
    "inside `atomic()`": in_a_transaction(INSERT),
    "by the driver's own cursor": through_the_driver(INSERT),
    "in another thread": in_a_thread,
    "in `sync_to_async`": in_a_coroutine(sync_to_async(raw(INSERT))),
    "after the connection was closed": after_close,
    "after `close_old_connections()`": after_close_old_connections,
}


def outcome(attempt: Attempt) -> str:
    """Return the outcome of an attempt: "done", or its error."""
    try:
        attempt()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connections["mirror"].close()
    return "done"
