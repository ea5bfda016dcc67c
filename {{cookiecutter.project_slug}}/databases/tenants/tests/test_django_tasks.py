"""Django's tasks on tenants' rows: they run as the tenant under which they were enqueued, and leave nothing behind."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from asgiref.sync import async_to_sync
from django.tasks import TaskContext, TaskResult, task_backends
from django.test import TransactionTestCase, override_settings

from databases.tenants import CrossTenantError, NoTenantError, UnknownTenantError, current_tenant, use_tenant
from databases.tenants.context import slug_or_none
from databases.tenants.django_tasks import tenant_task
from databases.tenants.leases import opened
from databases.tenants.tests.many_tenants import ManyTenantsTestCase, ask
from databases.tenants.tests.two_tenants import DATABASES, FIRST, SECOND, add_a_point_each, in_thread, marker

DUMMY = {"BACKEND": "django.tasks.backends.dummy.DummyBackend", "QUEUES": ["default", "mail"]}

# Django validates tasks when they are made, and the project's own backends may not take these.
with override_settings(TASKS={"default": DUMMY}):

    @tenant_task
    def read(*words: str) -> list[str]:
        return [*words, current_tenant().slug, marker()]

    @tenant_task(queue_name="mail", takes_context=True)
    def read_with_options(context: TaskContext, word: str) -> list[str]:
        return [word, current_tenant().slug, marker()]

    @tenant_task
    async def read_async() -> str:
        return current_tenant().slug

    @tenant_task
    def use_connection() -> None:
        ask(current_tenant().alias)


def run(result: TaskResult) -> Any:
    """Return what a task returns, as a worker calls it."""
    context = [TaskContext(task_result=result)] if result.task.takes_context else []
    return result.task.call(*context, *result.args, **result.kwargs)


class DjangoTasksTests(TransactionTestCase):
    databases = DATABASES

    def setUp(self):
        add_a_point_each()
        backend = override_settings(TASKS={"default": DUMMY})
        backend.enable()
        self.addCleanup(backend.disable)

    def test_a_task_runs_as_the_tenant_it_was_enqueued_under(self):
        for slug, name in ((FIRST, "cake"), (SECOND, "orbit")):
            with use_tenant(slug):
                results = [read.enqueue("a"), async_to_sync(read.aenqueue)("a"), read.using(priority=3).enqueue("a")]
                results.append(read_with_options.enqueue("a"))
            for result in results:
                self.assertEqual(result.kwargs, {"tenant": slug})
                self.assertEqual(in_thread(lambda result=result: run(result)), ["a", slug, name])
                self.assertEqual(run(deepcopy(result)), ["a", slug, name])
                self.assertIsNone(slug_or_none())
        self.assertEqual(result.task.queue_name, "mail")

    def test_a_coroutine_runs_as_its_tenant(self):
        with use_tenant(SECOND):
            result = read_async.enqueue()
        self.assertEqual(run(result), SECOND)
        self.assertEqual(async_to_sync(result.task.acall)(**result.kwargs), SECOND)

    def test_a_plain_function_runs_as_its_tenant_in_an_event_loop(self):
        self.assertEqual(async_to_sync(read.acall)("a", tenant=SECOND), ["a", SECOND, "orbit"])

    @override_settings(TASKS={"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}})
    def test_a_task_runs_at_once_in_the_immediate_backend(self):
        with use_tenant(FIRST):
            self.assertEqual(read.enqueue("a").return_value, ["a", FIRST, "cake"])
            self.assertEqual(async_to_sync(read.aenqueue)("a").return_value, ["a", FIRST, "cake"])
            self.assertEqual(slug_or_none(), FIRST)

    def test_without_a_tenant_a_task_is_neither_enqueued_nor_called(self):
        for refused in (read.enqueue, read.call, async_to_sync(read.aenqueue), async_to_sync(read.acall)):
            with self.subTest(refused), self.assertRaisesMessage(NoTenantError, "test_django_tasks.read was enqueued"):
                refused("a")
        self.assertEqual(task_backends["default"].results, [])

    def test_a_task_may_name_its_tenant_and_no_other_one_than_the_current(self):
        self.assertEqual(run(read.enqueue(tenant=FIRST)), [FIRST, "cake"])
        with use_tenant(SECOND):
            self.assertRaises(CrossTenantError, read.enqueue, tenant=FIRST)
            self.assertRaises(CrossTenantError, read.call, tenant=FIRST)

    def test_an_unknown_tenant_is_an_error(self):
        self.assertRaises(UnknownTenantError, read.call, tenant="nobody")


class ConnectionTests(ManyTenantsTestCase):
    def test_connections_are_given_back_after_each_task(self):
        self.register(1)
        for call in (use_connection.call, async_to_sync(use_connection.acall)):
            call(tenant="number-0")
            self.assertEqual((opened.aliases(), self.pool.counts()[0]), ([], 0))
