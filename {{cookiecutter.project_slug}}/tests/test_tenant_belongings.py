"""No leak between tenants: sessions, cache entries, files and log lines, all of which outlive a request."""

import io
import logging
import tempfile
from unittest import mock

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.test import Client, SimpleTestCase, TestCase, override_settings
from django.urls import path

from databases.tenants import use_tenant
from databases.tenants.logs import TenantFilter
from databases.tenants.sessions import SessionStore

from .two_tenants import ALL_DATABASES, APERTURE, VAVATCH, HostAsyncClient, register_both


def basket(request: HttpRequest) -> HttpResponse:
    """Put a thing into the session where one is named, and tell what is in it and who is logged in."""
    if thing := request.GET.get("thing"):
        request.session["thing"] = thing
    return HttpResponse(f"{request.session.get('thing')} {request.user.username}")


async def async_basket(request: HttpRequest) -> HttpResponse:
    if thing := request.GET.get("thing"):
        await request.session.aset("thing", thing)
    return HttpResponse(f"{await request.session.aget('thing')}")


urlpatterns = [path("basket/", basket), path("async-basket/", async_basket)]


@override_settings(ROOT_URLCONF=__name__, SESSION_COOKIE_SECURE=False)
class SessionTests(TestCase):
    databases = ALL_DATABASES
    async_client_class = HostAsyncClient

    def setUp(self):
        register_both()

    def get(self, url: str, host: str, cookies: object) -> tuple[str, Client]:
        """Return the page as a new browser sees it that holds these cookies, and the browser."""
        client = Client()
        client.cookies.update(cookies)
        return client.get(url, headers={"host": host}).content.decode(), client

    def test_a_session_replayed_on_another_host_opens_nothing(self):
        host = f"{APERTURE}.testserver"
        _, owner = self.get("/basket/?thing=cake", host, {})
        self.assertEqual(self.get("/basket/", host, owner.cookies)[0], "cake ")
        for other in (f"{VAVATCH}.testserver", "testserver"):
            self.assertEqual(self.get("/basket/", other, owner.cookies)[0], "None ")

    def test_a_session_of_the_central_site_opens_nothing_on_a_tenants_host(self):
        _, owner = self.get("/basket/?thing=cake", "testserver", {})
        self.assertEqual(self.get("/basket/", "testserver", owner.cookies)[0], "cake ")
        self.assertEqual(self.get("/basket/", f"{VAVATCH}.testserver", owner.cookies)[0], "None ")

    def test_writing_to_a_replayed_session_leaves_the_original_alone(self):
        host = f"{APERTURE}.testserver"
        _, owner = self.get("/basket/?thing=cake", host, {})
        _, intruder = self.get("/basket/?thing=orbit", f"{VAVATCH}.testserver", owner.cookies)
        self.assertEqual(self.get("/basket/", host, owner.cookies)[0], "cake ")
        self.assertEqual(self.get("/basket/", f"{VAVATCH}.testserver", intruder.cookies)[0], "orbit ")
        self.assertEqual(Session.objects.count(), 2)

    def test_a_login_is_good_on_one_tenants_host_only(self):
        with use_tenant(APERTURE):
            self.client.force_login(User.objects.create_user("chell"))
        self.assertEqual(self.get("/basket/", f"{APERTURE}.testserver", self.client.cookies)[0], "None chell")
        self.assertEqual(self.get("/basket/", f"{VAVATCH}.testserver", self.client.cookies)[0], "None ")

    async def test_an_async_view_keeps_sessions_apart_too(self):
        ours, theirs = {"host": f"{APERTURE}.testserver"}, {"host": f"{VAVATCH}.testserver"}
        await self.async_client.get("/async-basket/?thing=cake", headers=ours)
        self.assertEqual((await self.async_client.get("/async-basket/", headers=ours)).content, b"cake")
        self.assertEqual((await self.async_client.get("/async-basket/", headers=theirs)).content, b"None")

    async def test_what_async_code_saves_opens_nothing_elsewhere(self):
        with use_tenant(APERTURE):
            session = SessionStore()
            await session.aset("thing", "cake")
            await session.asave()
            self.assertEqual(await SessionStore(session.session_key).aget("thing"), "cake")
        self.assertIsNone(await SessionStore(session.session_key).aget("thing"))


class CacheTests(SimpleTestCase):
    def test_tenants_do_not_see_one_anothers_entries(self):
        self.addCleanup(cache.clear)
        cache.set("name", "central")
        for slug in (APERTURE, VAVATCH):
            with use_tenant(slug):
                self.assertIsNone(cache.get("name"))
                cache.set("name", slug)
        for slug in (APERTURE, VAVATCH):
            with use_tenant(slug):
                self.assertEqual(cache.get("name"), slug)
        self.assertEqual(cache.get("name"), "central")

    def test_no_key_spells_another_tenants(self):
        with use_tenant(APERTURE):
            cache.set("name", "cake")
            full_key = cache.make_key("name")
        for key in (full_key, f"{APERTURE}:name", f"{APERTURE}::1:name", f":{APERTURE}::1:name"):
            self.assertIsNone(cache.get(key))
        self.addCleanup(cache.clear)


class StorageTests(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        media = override_settings(MEDIA_ROOT=folder.name)
        media.enable()
        self.addCleanup(media.disable)

    def test_tenants_do_not_see_one_anothers_files(self):
        for slug in (APERTURE, VAVATCH):
            with use_tenant(slug):
                self.assertFalse(default_storage.exists("name.txt"))
                self.assertEqual(default_storage.save("name.txt", ContentFile(slug)), "name.txt")
        for slug in (APERTURE, VAVATCH):
            with use_tenant(slug), default_storage.open("name.txt") as file:
                self.assertEqual(file.read().decode(), slug)
                self.assertEqual(default_storage.listdir(""), ([], ["name.txt"]))
                self.assertEqual(default_storage.url("name.txt"), f"/media/tenants/{slug}/name.txt")
        self.assertFalse(default_storage.exists("name.txt"))
        self.assertEqual(default_storage.url("name.txt"), "/media/central/name.txt")

    def test_no_name_leads_out_of_a_tenants_folder(self):
        with use_tenant(VAVATCH):
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
            f"../{VAVATCH}/name.txt",
            f"x/../../{VAVATCH}/name.txt",
            "..",
            "../../central/name.txt",
            "/etc/passwd",
        ):
            for use in uses:
                with self.subTest(name=name, use=use), use_tenant(APERTURE):
                    self.assertRaises(SuspiciousFileOperation, use, name)


class LogTests(SimpleTestCase):
    def test_a_record_knows_its_tenant(self):
        with self.assertLogs("projects") as logs:
            logs.records.clear()
            handler = logging.getLogger("projects").handlers[0]
            handler.addFilter(TenantFilter())
            with use_tenant(APERTURE):
                logging.getLogger("projects").info("inside")
            logging.getLogger("projects").info("outside")
        self.assertEqual([record.tenant for record in logs.records], [APERTURE, "-"])

    def test_a_line_of_the_project_names_its_tenant(self):
        # Found by its name: a test run has handlers of its own.
        (console,) = [each for each in logging.getLogger().handlers if each.get_name() == "console"]
        with mock.patch.object(console, "stream", io.StringIO()) as lines:
            with use_tenant(APERTURE):
                logging.getLogger("projects").info("inside")
            logging.getLogger("projects").info("outside")
        self.assertEqual(lines.getvalue(), f"INFO projects [{APERTURE}] inside\nINFO projects [-] outside\n")
