"""No leak between tenants in threads, in tasks and in work that runs on commit."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.test import TransactionTestCase

from databases import atomic_for, on_commit_for
from databases.tenants import NoTenantError, carry_tenant, current_tenant, use_tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.two_tenants import (
    DATABASES,
    FIRST,
    SECOND,
    SECOND_ALIAS,
    add_a_point_each,
    in_thread,
    marker,
)

BOTH = ((FIRST, "cake"), (SECOND, "orbit"))


class ThreadTests(TransactionTestCase):
    databases = DATABASES

    def setUp(self):
        add_a_point_each()

    def test_a_new_thread_starts_without_a_tenant(self):
        with use_tenant(FIRST):
            self.assertRaises(NoTenantError, in_thread, marker)
            self.assertEqual(marker(), "cake")

    def test_a_copied_context_carries_the_tenant_into_a_thread(self):
        for slug, name in BOTH:
            with use_tenant(slug):
                context = contextvars.copy_context()
            self.assertEqual(in_thread(lambda context=context: context.run(marker)), name)

    def test_carry_tenant_takes_the_tenant_into_a_pool_and_leaves_nothing_there(self):
        with ThreadPoolExecutor(max_workers=1) as pool:
            for slug, name in BOTH:
                with use_tenant(slug):
                    work = carry_tenant(marker)
                self.assertEqual(pool.submit(work).result(), name)
                with self.assertRaises(NoTenantError):
                    pool.submit(current_tenant).result()

    def test_carry_tenant_closes_the_connections_of_other_threads_only(self):
        with use_tenant(FIRST):
            work = carry_tenant(marker)
        with mock.patch.object(connections, "close_all", wraps=connections.close_all) as close:
            with ThreadPoolExecutor(max_workers=1) as pool:
                pool.submit(work).result()
            close.assert_called_once_with()
            work()
            close.assert_called_once_with()

    def test_carry_tenant_refuses_coroutines_and_work_without_a_tenant(self):
        async def task() -> None: ...

        def parts() -> Iterator[None]:
            yield

        self.assertRaises(NoTenantError, carry_tenant, marker)
        with use_tenant(FIRST):
            for function in (task, parts):
                self.assertRaisesMessage(TypeError, "A task keeps the tenant", carry_tenant, function)

    def test_a_thread_may_enter_another_tenant(self):
        with use_tenant(FIRST):
            self.assertEqual(in_thread(use_tenant(SECOND)(marker)), "orbit")
            self.assertEqual(marker(), "cake")

    def test_a_tenant_does_not_stay_on_the_worker_of_a_pool(self):
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(use_tenant(FIRST)(current_tenant)).result()
            self.assertRaises(NoTenantError, pool.submit(current_tenant).result)

    def test_two_threads_at_the_same_time_each_read_their_own(self):
        both_inside, both_have_read = threading.Barrier(2, timeout=30), threading.Barrier(2, timeout=30)
        seen: dict[str, list[str]] = {}

        def read(slug: str) -> None:
            try:
                with use_tenant(slug):
                    both_inside.wait()
                    seen[slug] = [marker()]
                    both_have_read.wait()
                    seen[slug].append(marker())
            finally:
                connections.close_all()

        threads = [threading.Thread(target=read, args=[slug]) for slug, _ in BOTH]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(seen, {FIRST: ["cake", "cake"], SECOND: ["orbit", "orbit"]})


class TaskTests(TransactionTestCase):
    databases = DATABASES

    def setUp(self):
        add_a_point_each()

    async def test_gathered_tasks_each_read_their_own(self):
        inside: dict[str, asyncio.Event] = {slug: asyncio.Event() for slug, _ in BOTH}

        async def read(slug: str, other: str) -> list[str]:
            with use_tenant(slug):
                inside[slug].set()
                await inside[other].wait()
                first = await sync_to_async(marker)()
                await asyncio.sleep(0)
                return [first, await sync_to_async(marker)()]

        seen = await asyncio.gather(read(FIRST, SECOND), read(SECOND, FIRST))
        self.assertEqual(seen, [["cake", "cake"], ["orbit", "orbit"]])
        self.assertRaises(NoTenantError, current_tenant)

    async def test_a_task_keeps_the_tenant_it_was_created_under(self):
        started, left = asyncio.Event(), asyncio.Event()

        async def read() -> str:
            started.set()
            await left.wait()
            return await sync_to_async(marker)()

        with use_tenant(FIRST):
            task = asyncio.create_task(read())
            await started.wait()
        with use_tenant(SECOND):
            left.set()
            self.assertEqual(await task, "cake")
            self.assertEqual(await sync_to_async(marker)(), "orbit")


class CommitTests(TransactionTestCase):
    databases = DATABASES

    def test_carried_on_commit_work_runs_under_its_tenant(self):
        seen: list[str] = []

        def note_tenant() -> None:
            seen.append(current_tenant().slug)

        with use_tenant(SECOND), atomic_for(DataPoint), use_tenant(FIRST, switch=True):
            # Without carry_tenant() it runs under the tenant that is current at the commit.
            transaction.on_commit(note_tenant, using=SECOND_ALIAS)
            transaction.on_commit(carry_tenant(note_tenant), using=SECOND_ALIAS)
        self.assertEqual(seen, [SECOND, FIRST])

    def test_on_commit_for_waits_for_the_models_database(self):
        seen: list[str] = []
        with use_tenant(SECOND):
            with atomic_for(DataPoint):
                on_commit_for(DataPoint, lambda: seen.append(marker()))
                DataPoint.objects.create(pk=1000, name="orbit", value=1)
                self.assertEqual(seen, [])
            self.assertEqual(seen, ["orbit"])
            with self.assertRaises(ZeroDivisionError), atomic_for(DataPoint):
                on_commit_for(DataPoint, lambda: seen.append("rolled back"))
                1 / 0  # noqa: B018
        self.assertEqual(seen, ["orbit"])

    def test_atomic_for_a_tenants_model_rolls_its_writes_back(self):
        with use_tenant(SECOND):
            with self.assertRaises(ZeroDivisionError), atomic_for(DataPoint):
                DataPoint.objects.create(name="not to stay", value=1)
                1 / 0  # noqa: B018
            self.assertFalse(DataPoint.objects.filter(name="not to stay").exists())
