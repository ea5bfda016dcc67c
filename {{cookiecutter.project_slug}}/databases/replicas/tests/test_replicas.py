"""Where reads go: to a replica, unless it could return outdated data."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from unittest import mock

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.exceptions import ValidationError
from django.db import connection, connections, models, router, transaction
from django.template.response import SimpleTemplateResponse
from django.test import TestCase, TransactionTestCase, override_settings, tag
from django.test.utils import isolate_apps

from databases.replicas import reading, use_primary, use_replica
from databases.replicas.positions import Mark
from databases.replicas.router import ReplicaRouter
from databases.replicas.tests.fresh_replicas import forget_everything
from databases.tests.notebook.models import Note


def reads_from(**hints: object) -> str:
    return router.db_for_read(Note, **hints)


@tag("replica")
class RoutingTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        forget_everything()

    def test_commands_and_tasks_read_from_the_primary_unless_they_ask(self):
        self.assertEqual(reads_from(), "default")
        with use_replica():
            self.assertEqual(reads_from(), "replica")
        self.assertEqual(reads_from(), "default")

    def test_writes_go_to_the_primary(self):
        with use_replica():
            self.assertEqual(router.db_for_write(Note), "default")

    def test_inside_a_transaction_reads_stay_on_the_primary(self):
        with use_replica(), transaction.atomic():
            self.assertEqual(reads_from(), "default")

    def test_after_a_write_reads_stay_on_the_primary(self):
        with use_replica():
            Note.objects.create(text="mine")
            self.assertEqual(reads_from(), "default")

    def test_a_raw_write_counts_as_a_write(self):
        with use_replica():
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM layer_notebook_note")
            self.assertEqual(reads_from(), "default")

    def test_a_read_does_not_count_as_a_write(self):
        with use_replica():
            list(Note.objects.using("default"))
            self.assertEqual(reads_from(), "replica")

    def test_a_write_in_an_inner_block_counts_in_the_outer_one(self):
        with use_replica():
            self.assertEqual(reads_from(), "replica")
            with use_primary():
                Note.objects.create(text="mine")
            self.assertEqual(reads_from(), "default")

    def test_an_inner_block_cannot_undo_the_pin_of_the_outer_one(self):
        with use_replica():
            Note.objects.create(text="mine")
            with use_replica():
                self.assertEqual(reads_from(), "default")

    def test_an_inner_write_of_a_task_of_its_own_counts_in_the_block(self):
        async def write_and_read() -> str:
            async with use_replica():
                await asyncio.gather(Note.objects.acreate(text="mine"))
                return reads_from()

        self.assertEqual(async_to_sync(write_and_read)(), "default")

    def test_writes_before_the_block_count_until_a_replica_shows_them(self):
        Note.objects.create(text="mine")
        with use_replica():
            self.assertEqual(reads_from(), "default")
        with override_settings(REPLICA_PIN_SECONDS=0), use_replica():
            self.assertEqual(reads_from(), "replica")

    def test_a_write_in_one_block_counts_in_the_next_one(self):
        with use_replica():
            Note.objects.create(text="mine")
        with use_replica():
            self.assertEqual(reads_from(), "default")

    def test_a_block_waits_for_a_replica_that_shows_what_was_committed_before_it(self):
        # Such as the rows that the sender of this task has written.
        chosen = mock.patch.object(reading, "choose", return_value="replica")
        marked = mock.patch.object(reading, "mark_now", return_value=Mark(1, 5, 0.0))
        with chosen as choose, marked as mark_now, use_replica():
            mark_now.assert_not_called()
            self.assertEqual([reads_from(), reads_from()], ["replica", "replica"])
        mark_now.assert_called_once_with(at=0.0)
        choose.assert_called_once_with(Mark(1, 5, 0.0), patient=True)

    def test_primary_then_replica_reads_from_a_replica(self):
        with use_primary(), use_replica():
            self.assertEqual(reads_from(), "replica")

    def test_a_locked_row_is_read_from_the_primary(self):
        with use_replica():
            self.assertEqual(Note.objects.select_for_update().db, "default")

    def test_validation_after_a_write_reads_from_the_primary(self):
        with use_replica():
            note = Note.objects.create(text="mine")
            with self.assertNumQueries(1, using="default"), self.assertRaises(ValidationError):
                Note(pk=note.pk, text="another").validate_unique()

    def test_objects_from_the_primary_are_followed_on_the_primary(self):
        note = Note.objects.create(text="mine")
        forget_everything()
        with use_replica():
            self.assertEqual(reads_from(instance=note), "default")
            self.assertEqual(reads_from(instance=Note(text="new")), "replica")

    def test_what_belongs_to_a_user_is_read_from_a_replica(self):
        user = get_user_model()()
        user._state.db = "default"
        with use_replica():
            self.assertEqual(reads_from(instance=user), "replica")

    def test_users_and_permissions_are_read_from_the_primary(self):
        with use_replica():
            users = get_user_model()
            links = users.groups.through, users.user_permissions.through
            cached = BaseDatabaseCache("a_table", {}).cache_model_class
            for model in (users, *links, Permission, Session, ContentType, LogEntry, cached, self.session_model()):
                with self.subTest(model.__name__):
                    self.assertEqual(router.db_for_read(model), "default")

    def session_model(self) -> type[AbstractBaseSession]:
        with isolate_apps():
            meta = type("Meta", (), {"app_label": "layer_notebook"})
            return type("OwnSession", (AbstractBaseSession,), {"Meta": meta, "__module__": __name__})

    def test_the_layers_own_tables_are_read_from_the_primary(self):
        # Such as the registry of tenants. Of these tests' apps, `databases.tests.notebook` plays the part.
        with use_replica(), override_settings(DATABASE_APPS=[*settings.DATABASE_APPS, "databases.tests.notebook"]):
            self.assertEqual(reads_from(), "default")

    def test_a_model_of_an_app_that_is_not_installed_is_read_from_a_replica(self):
        with isolate_apps():
            meta = type("Meta", (), {"app_label": "removed"})
            model = type("Page", (models.Model,), {"Meta": meta, "__module__": __name__})
        with use_replica():
            self.assertEqual(router.db_for_read(model), "replica")

    def test_a_user_model_of_another_app_is_read_from_the_primary(self):
        with use_replica(), mock.patch.object(settings, "AUTH_USER_MODEL", "layer_notebook.Note"):
            self.assertEqual(reads_from(), "default")

    def test_more_models_can_be_read_from_the_primary(self):
        for name in ("layer_notebook", "layer_notebook.Note", "layer_notebook.note"):
            with self.subTest(name), use_replica(), override_settings(READ_FROM_PRIMARY=[name]):
                self.assertEqual(reads_from(), "default")

    def test_a_model_that_is_derived_from_the_user_is_read_from_the_primary(self):
        with isolate_apps():
            meta = type("Meta", (), {"app_label": "layer_notebook"})
            child = type("Member", (get_user_model(),), {"Meta": meta, "__module__": __name__})
        with use_replica():
            self.assertEqual(router.db_for_read(child), "default")

    def test_a_proxy_of_the_user_in_another_app_is_read_from_the_primary(self):
        with isolate_apps():
            meta = type("Meta", (), {"app_label": "layer_notebook", "proxy": True})
            proxy = type("Member", (get_user_model(),), {"Meta": meta, "__module__": __name__})
        with use_replica():
            self.assertEqual(reads_from(), "replica")
            self.assertEqual(router.db_for_read(proxy), "default")

    def test_an_object_from_a_replica_may_point_to_one_from_the_primary(self):
        one, two = Note(), Note()
        one._state.db, two._state.db = "replica", "default"
        self.assertTrue(router.allow_relation(one, two))

    def test_other_relations_are_left_to_other_routers(self):
        for aliases in (("replica", "elsewhere"), ("default", "elsewhere"), ("default", "default")):
            one, two = Note(), Note()
            one._state.db, two._state.db = aliases
            with self.subTest(aliases):
                self.assertIsNone(ReplicaRouter().allow_relation(one, two))

    def test_nothing_is_migrated_on_a_replica(self):
        self.assertFalse(router.allow_migrate("replica", "layer_notebook"))
        self.assertTrue(router.allow_migrate("default", "layer_notebook"))

    def test_blocks_nest_and_end_with_an_exception(self):
        with use_replica():
            with self.assertRaises(ZeroDivisionError), use_primary():
                self.assertEqual(reads_from(), "default")
                1 / 0  # noqa: B018
            self.assertEqual(reads_from(), "replica")

    def test_a_coroutine_may_ask_for_a_replica(self):
        async def ask() -> list[str]:
            async with use_replica():
                return [await sync_to_async(reads_from)(), reads_from(), await asyncio.to_thread(reads_from)]

        self.assertEqual(async_to_sync(ask)(), ["replica"] * 3)

    def test_a_coroutine_may_ask_without_async_with(self):
        async def ask() -> list[str]:
            with use_replica():
                # The event loop must not wait for an answer.
                return [reads_from(), await sync_to_async(reads_from)()]

        self.assertEqual(async_to_sync(ask)(), ["default", "replica"])

    def test_functions_and_coroutine_functions_may_be_decorated(self):
        async def ask() -> str:
            return await sync_to_async(reads_from)()

        self.assertEqual(use_replica()(reads_from)(), "replica")
        self.assertEqual(async_to_sync(use_replica()(ask))(), "replica")
        with use_replica():
            self.assertEqual(use_primary()(reads_from)(), "default")
            self.assertEqual(async_to_sync(use_primary()(ask))(), "default")

    def test_a_response_is_rendered_inside_of_the_block(self):
        class Late(SimpleTemplateResponse):
            @property
            def rendered_content(self) -> str:
                return reads_from()

        async def ask() -> Late:
            return Late([])

        with use_replica():
            self.assertEqual(use_primary()(Late)([]).content, b"default")
            self.assertEqual(async_to_sync(use_primary()(ask))().content, b"default")

    def test_a_function_may_return_a_coroutine(self):
        # As `View.dispatch()` does, where `get()` is a coroutine function.
        async def ask() -> str:
            return await sync_to_async(reads_from)()

        def dispatch() -> Coroutine:
            return ask()

        async def call() -> str:
            return await use_primary()(dispatch)()

        with use_replica():
            self.assertEqual(async_to_sync(call)(), "default")

    def test_a_generator_may_not_be_decorated(self):
        def rows():
            yield reads_from()

        with self.assertRaisesMessage(TypeError, "yield them after the block"):
            use_replica()(rows)

    def test_calls_of_a_decorated_function_do_not_share_a_block(self):
        inside, leave = threading.Event(), threading.Event()

        @use_replica()
        def ask(*steps: Callable[[], object]) -> str:
            for step in steps:
                step()
            return reads_from()

        def work() -> None:
            found.append(ask(inside.set, leave.wait))
            connections.close_all()

        found: list[str] = []
        thread = threading.Thread(target=work)
        thread.start()
        inside.wait()
        # The block that began first ends first.
        self.assertEqual(ask(leave.set, thread.join), "replica")
        self.assertEqual(found, ["replica"])

    def test_tasks_on_one_thread_do_not_see_one_anothers_choice(self):
        async def both() -> list[str]:
            entered, done = asyncio.Event(), asyncio.Event()

            async def inside() -> str:
                async with use_replica():
                    entered.set()
                    await done.wait()
                    return await sync_to_async(reads_from)()

            async def outside() -> str:
                await entered.wait()
                alias = await sync_to_async(reads_from)()
                done.set()
                return alias

            return list(await asyncio.gather(inside(), outside()))

        self.assertEqual(async_to_sync(both)(), ["replica", "default"])


class TestCaseTests(TestCase):
    databases = {"default", "replica"}

    def test_a_test_case_sees_its_own_rows_without_tricks(self):
        Note.objects.create(text="not committed")
        with use_replica():
            self.assertEqual(Note.objects.get().text, "not committed")


class OtherRolesTests(TransactionTestCase):
    databases = {"default", "replica"}

    def setUp(self):
        forget_everything()

    def test_an_app_of_another_database_of_ours_is_not_read_from_a_replica(self):
        moved = {**settings.APP_DATABASES, "layer_notebook": "layer-archive"}
        with use_replica():
            self.assertEqual(router.db_for_read(Note), "replica")
            with override_settings(APP_DATABASES=moved, OWN_DATABASES=[*settings.OWN_DATABASES, "layer-archive"]):
                self.assertEqual(router.db_for_read(Note), "layer-archive")
