"""channels serves websockets. The README's `with_tenant` gives each the tenant of its host.

A consumer closes connections whose transaction is open, so that no test is in a transaction.
"""

import re

from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings

from compatibility.support import *

PACKAGES = ["channels"]
SETTINGS = """
INSTALLED_APPS += ["channels"]
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
"""
VERDICTS = {
    "primary": "works",
    "secondary": "works",
    "mirror": "works",
    "replicas": "works: a consumer reads the primary, and inside `use_replica()` a replica",
    "tenants": "works with `with_tenant(AuthMiddlewareStack(URLRouter([…])))` of `databases/tenants/README.md`, and "
    "names of groups that begin with `current_tenant().slug`",
}


# It defines `with_tenant`.
README = Path("databases/tenants/README.md").read_text()
exec(re.search(r"```python\n(from asgiref[^`]+def with_tenant[^`]+)```", README)[1])  # noqa: S102


class Points(AsyncWebsocketConsumer):
    """Adds what it is sent, and tells all sockets of its tenant, or of all tenants in the path /shared/."""

    async def connect(self):
        self.group = "shared" if self.scope["path"] == "/shared/" else f"{current_tenant().slug}-points"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def receive(self, text_data):
        await database_sync_to_async(DataPoint.objects.create)(name=text_data, value=1)
        await self.channel_layer.group_send(self.group, {"type": "added"})

    async def added(self, event):
        names = [each.name async for each in DataPoint.objects.order_by("pk")]
        await self.send(f"{self.scope['user']}: {', '.join(names)}")


class Rows(AsyncWebsocketConsumer):
    """Tells where a row of the model with this name comes from."""

    async def receive(self, text_data):
        model = {"note": Note, "event": Event, "member": Member}[text_data.removesuffix(" of a replica")]

        def find():
            if not text_data.endswith(" of a replica"):
                return model.objects.first()
            with use_replica():
                return model.objects.first()

        await self.send((await database_sync_to_async(find)())._state.db)


routes = URLRouter([path("points/", Points.as_asgi()), path("shared/", Points.as_asgi()), path("", Rows.as_asgi())])
application = with_tenant(AuthMiddlewareStack(routes))


async def connect(where="", slug="", cookie=""):
    """Return a socket to the host of a tenant, or of the central site, and whether it was accepted."""
    host = f"{slug}.{settings.SITE_DOMAIN}" if slug else settings.SITE_DOMAIN
    headers = [(b"host", host.encode()), (b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode())]
    socket = WebsocketCommunicator(application, f"/{where}", headers=headers)
    return socket, (await socket.connect())[0]


async def answer(text):
    socket, _ = await connect()
    await socket.send_to(text)
    found = await socket.receive_from()
    await socket.disconnect()
    return found


class Primary(TransactionTestCase):
    async def test_a_consumer_reads(self):
        await Note.objects.acreate(text="a note")
        self.assertEqual(await answer("note"), "default")


class Secondary(TransactionTestCase):
    async def test_a_consumer_reads(self):
        await Event.objects.acreate(action="added", note_id=1)
        self.assertEqual(await answer("event"), "secondary")


class Mirror(TransactionTestCase):
    async def test_a_consumer_reads(self):
        self.assertEqual(await answer("member"), "mirror")


class Replicas(TransactionTestCase):
    async def test_a_consumer_reads_the_primary_unless_it_says_otherwise(self):
        await Note.objects.acreate(text="a note")
        self.assertEqual(await answer("note"), "default")
        self.assertEqual(await answer("note of a replica"), "replica")


class Tenants(TenantTransactionTestCase):
    def log_in(self, slug):
        user = make_user(member_of=(LABS,))
        with use_tenant(slug):
            self.client.force_login(user)
        return self.client.cookies[settings.SESSION_COOKIE_NAME].value

    async def test_sockets_of_two_tenants_see_their_own_rows_and_messages(self):
        labs, _ = await connect("points/", LABS)
        campus, _ = await connect("points/", CAMPUS)
        for word in ("cake", "portal"):
            await labs.send_to(word)
            self.assertIn("cake", await labs.receive_from())
        self.assertTrue(await campus.receive_nothing())
        await campus.send_to("orbit")
        self.assertEqual(await campus.receive_from(), "AnonymousUser: orbit")
        self.assertTrue(await labs.receive_nothing())
        await labs.disconnect()
        await campus.disconnect()

    async def test_a_message_to_a_shared_group_is_handled_under_the_tenant_of_each_socket(self):
        labs, _ = await connect("shared/", LABS)
        campus, _ = await connect("shared/", CAMPUS)
        await labs.send_to("cake")
        self.assertEqual(await labs.receive_from(), "AnonymousUser: cake")
        self.assertEqual(await campus.receive_from(), "AnonymousUser: ")
        await labs.disconnect()
        await campus.disconnect()

    async def test_the_session_of_one_tenant_is_none_at_another(self):
        cookie = await sync_to_async(self.log_in)(LABS)
        for slug, user in ((LABS, "chell"), (CAMPUS, "AnonymousUser")):
            socket, _ = await connect("points/", slug, cookie)
            await socket.send_to("cake")
            self.assertEqual(await socket.receive_from(), f"{user}: cake")
            await socket.disconnect()

    async def test_an_unknown_host_is_closed(self):
        self.assertFalse((await connect("points/", "nobody"))[1])
