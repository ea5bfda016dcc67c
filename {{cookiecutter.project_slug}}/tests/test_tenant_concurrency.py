"""No leak between tenants: threads, tasks and work that is put off."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.test import TransactionTestCase

from databases import atomic_for, on_commit_for
from databases.tenants import NoTenantError, carry_tenant, current_tenant, use_tenant
from projects.models import DataPoint

from .two_tenants import ALL_DATABASES, APERTURE, VAVATCH, VAVATCH_ALIAS, add_a_point_each, in_thread, marker

BOTH = ((APERTURE, "cake"), (VAVATCH, "orbit"))


class ThreadTests(TransactionTestCase):
    databases = ALL_DATABASES

    def setUp(self):
        add_a_point_each()

    def test_a_thread_of_ones_own_starts_without_a_tenant(self):
        with use_tenant(APERTURE):
            self.assertRaises(NoTenantError, in_thread, marker)
            self.assertEqual(marker(), "cake")

    def test_a_copied_context_carries_the_tenant_into_a_thread(self):
        for slug, name in BOTH:
            with use_tenant(slug):
                context = contextvars.copy_context()
            self.assertEqual(in_thread(lambda context=context: context.run(marker)), name)

    def test_work_is_carried_into_a_pool_with_its_tenant_and_leaves_nothing_there(self):
        with ThreadPoolExecutor(max_workers=1) as pool:
            for slug, name in BOTH:
                with use_tenant(slug):
                    work = carry_tenant(marker)
                self.assertEqual(pool.submit(work).result(), name)
                with self.assertRaises(NoTenantError):
                    pool.submit(current_tenant).result()

    def test_what_has_no_tenant_or_runs_later_still_is_not_carried(self):
        async def task() -> None: ...

        self.assertRaises(NoTenantError, carry_tenant, marker)
        with use_tenant(APERTURE):
            self.assertRaisesMessage(TypeError, "a task keeps the tenant", carry_tenant, task)

    def test_a_thread_may_enter_a_tenant_of_its_own(self):
        with use_tenant(APERTURE):
            self.assertEqual(in_thread(use_tenant(VAVATCH)(marker)), "orbit")
            self.assertEqual(marker(), "cake")

    def test_a_tenant_does_not_stay_on_the_worker_of_a_pool(self):
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(use_tenant(APERTURE)(current_tenant)).result()
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
        self.assertEqual(seen, {APERTURE: ["cake", "cake"], VAVATCH: ["orbit", "orbit"]})


class TaskTests(TransactionTestCase):
    databases = ALL_DATABASES

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

        seen = await asyncio.gather(read(APERTURE, VAVATCH), read(VAVATCH, APERTURE))
        self.assertEqual(seen, [["cake", "cake"], ["orbit", "orbit"]])
        self.assertRaises(NoTenantError, current_tenant)

    async def test_a_task_takes_along_the_tenant_it_was_started_under(self):
        started, left = asyncio.Event(), asyncio.Event()

        async def read() -> str:
            started.set()
            await left.wait()
            return await sync_to_async(marker)()

        with use_tenant(APERTURE):
            task = asyncio.create_task(read())
            await started.wait()
        with use_tenant(VAVATCH):
            left.set()
            self.assertEqual(await task, "cake")
            self.assertEqual(await sync_to_async(marker)(), "orbit")


class CommitTests(TransactionTestCase):
    databases = ALL_DATABASES

    def test_work_put_off_until_a_commit_is_carried_to_it_with_its_tenant(self):
        seen: list[str] = []

        def note_tenant() -> None:
            seen.append(current_tenant())

        with use_tenant(VAVATCH), atomic_for(DataPoint), use_tenant(APERTURE, switch=True):
            # On its own it runs under whoever is current at the commit.
            transaction.on_commit(note_tenant, using=VAVATCH_ALIAS)
            transaction.on_commit(carry_tenant(note_tenant), using=VAVATCH_ALIAS)
        self.assertEqual(seen, [VAVATCH, APERTURE])

    def test_work_is_put_off_until_the_commit_where_the_model_is_written(self):
        seen: list[str] = []
        with use_tenant(VAVATCH):
            with atomic_for(DataPoint):
                on_commit_for(DataPoint, lambda: seen.append(marker()))
                DataPoint.objects.create(pk=1000, name="orbit", value=1)
                self.assertEqual(seen, [])
            self.assertEqual(seen, ["orbit"])
            with self.assertRaises(ZeroDivisionError), atomic_for(DataPoint):
                on_commit_for(DataPoint, lambda: seen.append("never"))
                1 / 0  # noqa: B018
        self.assertEqual(seen, ["orbit"])

    def test_atomic_for_a_tenants_model_rolls_its_writes_back(self):
        with use_tenant(VAVATCH):
            with self.assertRaises(ZeroDivisionError), atomic_for(DataPoint):
                DataPoint.objects.create(name="not to stay", value=1)
                1 / 0  # noqa: B018
            self.assertFalse(DataPoint.objects.filter(name="not to stay").exists())
