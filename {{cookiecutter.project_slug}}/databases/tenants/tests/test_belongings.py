"""No leak between tenants through what outlives a request: sessions and log lines."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace

from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.test import Client, SimpleTestCase, TestCase, override_settings
from django.urls import path

from databases.tenants import use_tenant
from databases.tenants.context import TEMPLATE_TENANT, tenant_block
from databases.tenants.propagation import TenantFilter
from databases.tenants.sessions import SessionStore
from databases.tenants.tests.site import make_superuser, own_site
from databases.tenants.tests.two_tenants import DATABASES, FIRST, SECOND, HostAsyncClient, register_both
from databases.tests.log_lines import console_of


def basket(request: HttpRequest) -> HttpResponse:
    """Store the thing that the query names in the session. Return the stored thing and the user's name."""
    if thing := request.GET.get("thing"):
        request.session["thing"] = thing
    return HttpResponse(f"{request.session.get('thing')} {request.user.get_username()}")


async def async_basket(request: HttpRequest) -> HttpResponse:
    if thing := request.GET.get("thing"):
        await request.session.aset("thing", thing)
    return HttpResponse(f"{await request.session.aget('thing')}")


urlpatterns = [path("basket/", basket), path("async-basket/", async_basket)]


@override_settings(ROOT_URLCONF=__name__)
@own_site
class SessionTests(TestCase):
    databases = DATABASES
    async_client_class = HostAsyncClient

    def setUp(self):
        register_both()

    def get(self, url: str, host: str, cookies: object) -> tuple[str, Client]:
        """Return the page as a new browser sees it that holds these cookies, and the browser."""
        client = Client()
        client.cookies.update(cookies)
        return client.get(url, headers={"host": host}).content.decode(), client

    def test_a_session_replayed_on_another_host_opens_nothing(self):
        host = f"{FIRST}.testserver"
        _, owner = self.get("/basket/?thing=cake", host, {})
        self.assertEqual(self.get("/basket/", host, owner.cookies)[0], "cake ")
        for other in (f"{SECOND}.testserver", "testserver"):
            self.assertEqual(self.get("/basket/", other, owner.cookies)[0], "None ")

    def test_a_session_of_the_central_site_opens_nothing_on_a_tenants_host(self):
        _, owner = self.get("/basket/?thing=cake", "testserver", {})
        self.assertEqual(self.get("/basket/", "testserver", owner.cookies)[0], "cake ")
        self.assertEqual(self.get("/basket/", f"{SECOND}.testserver", owner.cookies)[0], "None ")

    def test_writing_to_a_replayed_session_does_not_change_the_original(self):
        host = f"{FIRST}.testserver"
        _, owner = self.get("/basket/?thing=cake", host, {})
        _, intruder = self.get("/basket/?thing=orbit", f"{SECOND}.testserver", owner.cookies)
        self.assertEqual(self.get("/basket/", host, owner.cookies)[0], "cake ")
        self.assertEqual(self.get("/basket/", f"{SECOND}.testserver", intruder.cookies)[0], "orbit ")
        self.assertEqual(Session.objects.count(), 2)

    def test_a_login_is_valid_on_one_tenants_host_only(self):
        with use_tenant(FIRST):
            self.client.force_login(make_superuser())
        self.assertEqual(self.get("/basket/", f"{FIRST}.testserver", self.client.cookies)[0], "None ann@example.com")
        self.assertEqual(self.get("/basket/", f"{SECOND}.testserver", self.client.cookies)[0], "None ")

    async def test_async_views_keep_sessions_apart(self):
        ours, theirs = {"host": f"{FIRST}.testserver"}, {"host": f"{SECOND}.testserver"}
        await self.async_client.get("/async-basket/?thing=cake", headers=ours)
        self.assertEqual((await self.async_client.get("/async-basket/", headers=ours)).content, b"cake")
        self.assertEqual((await self.async_client.get("/async-basket/", headers=theirs)).content, b"None")

    async def test_a_session_saved_by_async_code_opens_nothing_elsewhere(self):
        with use_tenant(FIRST):
            session = SessionStore()
            await session.aset("thing", "cake")
            await session.asave()
            self.assertEqual(await SessionStore(session.session_key).aget("thing"), "cake")
        self.assertIsNone(await SessionStore(session.session_key).aget("thing"))


class BoundSessionTests(TestCase):
    """A key of one tenant's session, presented at another tenant or without one."""

    databases = DATABASES

    def setUp(self):
        with use_tenant(FIRST):
            self.owner = SessionStore()
            self.owner["thing"] = "cake"
            self.owner.save()
        self.key = str(self.owner.session_key)

    def assert_untouched(self):
        with use_tenant(FIRST):
            self.assertTrue(SessionStore().exists(self.key))
            self.assertEqual(dict(SessionStore(self.key).items()), {"thing": "cake"})

    def strangers(self) -> Iterator[SessionStore]:
        with use_tenant(SECOND):
            yield SessionStore(self.key)
        yield SessionStore(self.key)

    def test_its_key_reads_nothing_elsewhere(self):
        for store in self.strangers():
            self.assertFalse(store.exists(self.key))
            self.assertIsNone(store.get("thing"))
            self.assertIsNone(store.session_key)

    def test_its_key_deletes_and_overwrites_nothing_elsewhere(self):
        def clear_and_save(store: SessionStore) -> None:
            store.clear()
            store["thing"] = "orbit"
            store.save()

        uses = (
            SessionStore.flush,
            SessionStore.delete,
            SessionStore.cycle_key,
            SessionStore.save,
            clear_and_save,
            lambda store: store.delete(self.key),
        )
        for use in uses:
            for store in self.strangers():
                with self.subTest(use=use):
                    use(store)
                    self.assertNotEqual(store.session_key, self.key)
            self.assert_untouched()

    async def test_async_uses_of_its_key_touch_nothing_elsewhere(self):
        async def clear_and_save(store: SessionStore) -> None:
            store.clear()
            await store.aset("thing", "orbit")
            await store.asave()

        uses = (
            SessionStore.aflush,
            SessionStore.adelete,
            SessionStore.acycle_key,
            SessionStore.asave,
            clear_and_save,
            lambda store: store.adelete(self.key),
        )
        for use in uses:
            for store in self.strangers():
                with self.subTest(use=use):
                    self.assertFalse(await store.aexists(self.key))
                    await use(store)
                    self.assertNotEqual(store.session_key, self.key)
            await sync_to_async(self.assert_untouched)()

    def test_its_owner_deletes_it_with_a_new_key_or_without(self):
        with use_tenant(FIRST):
            self.owner.cycle_key()
            self.assertFalse(SessionStore().exists(self.key))
            self.assertEqual(SessionStore(self.owner.session_key)["thing"], "cake")
        self.owner.flush()
        self.assertEqual(Session.objects.count(), 0)

    async def test_its_owner_deletes_it_in_async_code(self):
        with use_tenant(FIRST):
            await self.owner.acycle_key()
            self.assertFalse(await SessionStore().aexists(self.key))
            self.assertTrue(await SessionStore().aexists(str(self.owner.session_key)))
        await self.owner.aflush()
        self.assertEqual(await Session.objects.acount(), 0)


class LogTests(SimpleTestCase):
    def test_a_record_knows_its_tenant(self):
        with self.assertLogs("layer_points") as logs:
            logs.records.clear()
            handler = logging.getLogger("layer_points").handlers[0]
            handler.addFilter(TenantFilter())
            with use_tenant(FIRST):
                logging.getLogger("layer_points").info("inside")
            logging.getLogger("layer_points").info("outside")
            with tenant_block(TEMPLATE_TENANT):
                logging.getLogger("layer_points").info("while a template is built")
        self.assertEqual([record.tenant for record in logs.records], [FIRST, "-", "-"])

    def test_the_shipped_log_format_names_the_tenant(self):
        handler, lines = console_of("text", tenant="databases.tenants.propagation.TenantFilter")
        record = logging.makeLogRecord({"name": "layer_points", "levelname": "INFO", "msg": "seen"})
        with use_tenant(FIRST):
            handler.handle(record)
        handler.handle(record)
        # As Django does, after the middleware.
        record.request = SimpleNamespace(tenant=SimpleNamespace(slug=FIRST), request_id="1")
        handler.handle(record)
        shown = [line.partition(" ")[2] for line in lines.getvalue().splitlines()]
        form = "INFO layer_points [{}] [{}] seen"
        self.assertEqual(shown, [form.format("-", FIRST), form.format("-", "-"), form.format("1", FIRST)])
