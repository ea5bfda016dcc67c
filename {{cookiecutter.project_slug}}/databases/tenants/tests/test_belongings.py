"""No leak between tenants through what outlives a request: sessions, cache entries, files and log lines."""

import copy
import io
import logging
import logging.config
import tempfile

from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.test import Client, SimpleTestCase, TestCase, override_settings
from django.urls import path

from databases.tenants import settings as tenant_settings
from databases.tenants import use_tenant
from databases.tenants.logs import TenantFilter
from databases.tenants.sessions import SessionStore
from databases.tenants.tests.site import make_superuser, own_site
from databases.tenants.tests.two_tenants import DATABASES, FIRST, SECOND, HostAsyncClient, register_both


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


@own_site
class CacheTests(SimpleTestCase):
    def test_tenants_do_not_see_one_anothers_entries(self):
        self.addCleanup(cache.clear)
        cache.set("name", "central")
        for slug in (FIRST, SECOND):
            with use_tenant(slug):
                self.assertIsNone(cache.get("name"))
                cache.set("name", slug)
        for slug in (FIRST, SECOND):
            with use_tenant(slug):
                self.assertEqual(cache.get("name"), slug)
        self.assertEqual(cache.get("name"), "central")

    def test_no_key_collides_with_another_tenants(self):
        with use_tenant(FIRST):
            cache.set("name", "cake")
            full_key = cache.make_key("name")
        for key in (full_key, f"{FIRST}:name", f"{FIRST}::1:name", f":{FIRST}::1:name"):
            self.assertIsNone(cache.get(key))
        self.addCleanup(cache.clear)


@own_site
class StorageTests(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        media = override_settings(MEDIA_ROOT=folder.name)
        media.enable()
        self.addCleanup(media.disable)

    def test_tenants_do_not_see_one_anothers_files(self):
        for slug in (FIRST, SECOND):
            with use_tenant(slug):
                self.assertFalse(default_storage.exists("name.txt"))
                self.assertEqual(default_storage.save("name.txt", ContentFile(slug)), "name.txt")
        for slug in (FIRST, SECOND):
            with use_tenant(slug), default_storage.open("name.txt") as file:
                self.assertEqual(file.read().decode(), slug)
                self.assertEqual(default_storage.listdir(""), ([], ["name.txt"]))
                self.assertEqual(default_storage.url("name.txt"), f"/media/tenants/{slug}/name.txt")
        self.assertFalse(default_storage.exists("name.txt"))
        self.assertEqual(default_storage.url("name.txt"), "/media/central/name.txt")

    def test_no_name_leads_out_of_a_tenants_folder(self):
        with use_tenant(SECOND):
            default_storage.save("name.txt", ContentFile("orbit"))
        uses = (
            default_storage.path,
            default_storage.url,
            default_storage.exists,
            default_storage.open,
            default_storage.delete,
            default_storage.listdir,
            lambda name: default_storage.save(name, ContentFile("cake")),
        )
        for name in (
            f"../{SECOND}/name.txt",
            f"x/../../{SECOND}/name.txt",
            "..",
            "../../central/name.txt",
            "/etc/passwd",
        ):
            for use in uses:
                with self.subTest(name=name, use=use), use_tenant(FIRST):
                    self.assertRaises(SuspiciousFileOperation, use, name)


class LogTests(SimpleTestCase):
    def test_a_record_knows_its_tenant(self):
        with self.assertLogs("layer_points") as logs:
            logs.records.clear()
            handler = logging.getLogger("layer_points").handlers[0]
            handler.addFilter(TenantFilter())
            with use_tenant(FIRST):
                logging.getLogger("layer_points").info("inside")
            logging.getLogger("layer_points").info("outside")
        self.assertEqual([record.tenant for record in logs.records], [FIRST, "-"])

    def test_the_shipped_log_format_names_the_tenant(self):
        shipped = logging.config.DictConfigurator(copy.deepcopy(tenant_settings.LOGGING))
        for kind, make in (("filters", shipped.configure_filter), ("formatters", shipped.configure_formatter)):
            shipped.config[kind] = {name: make(config) for name, config in shipped.config[kind].items()}
        console = shipped.configure_handler(shipped.config["handlers"]["console"])
        console.setStream(lines := io.StringIO())
        record = logging.makeLogRecord({"name": "layer_points", "levelname": "INFO", "msg": "seen"})
        with use_tenant(FIRST):
            console.handle(record)
        console.handle(record)
        self.assertEqual(lines.getvalue(), f"INFO layer_points [{FIRST}] seen\nINFO layer_points [-] seen\n")
