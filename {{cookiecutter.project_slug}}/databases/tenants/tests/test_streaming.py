"""Streamed responses keep their tenant, although they are sent after the middleware has left the tenant."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator

from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.test import TestCase, override_settings
from django.urls import path

from databases.tenants import NoTenantError, current_tenant, use_tenant
from databases.tenants.context import tenant_or_none
from databases.tenants.middleware import keep_tenant
from databases.tenants.tests.points.models import DataPoint
from databases.tenants.tests.site import own_site
from databases.tenants.tests.two_tenants import (
    DATABASES,
    FIRST,
    SECOND,
    HostAsyncClient,
    add_a_point_each,
    register_both,
)


def parts() -> Iterator[str]:
    for point in DataPoint.objects.filter(pk=1000).iterator():
        yield f"{current_tenant()} "
        yield point.name
    yield f" {DataPoint.objects.get(pk=1000).name}"


async def async_parts() -> AsyncIterator[str]:
    async for point in DataPoint.objects.filter(pk=1000).aiterator():
        yield f"{current_tenant()} "
        yield point.name
    yield f" {(await DataPoint.objects.aget(pk=1000)).name}"


def careless_parts() -> Iterator[str]:
    with use_tenant(SECOND, switch=True):
        yield "one"
        yield "two"


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(parts())


async def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(async_parts())


def careless_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(careless_parts())


def central_parts() -> Iterator[str]:
    yield f"{tenant_or_none()}"


async def async_central_parts() -> AsyncIterator[str]:
    yield f"{tenant_or_none()}"


def central_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(central_parts())


async def async_central_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(async_central_parts())


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(parts(), filename="points.txt")


urlpatterns = [
    path("stream/", stream),
    path("async-stream/", async_stream),
    path("careless/", careless_stream),
    path("central/", central_stream),
    path("async-central/", async_central_stream),
    path("file/", file),
]

EXPECTED = {FIRST: f"{FIRST} cake cake", SECOND: f"{SECOND} orbit orbit"}


@override_settings(ROOT_URLCONF=__name__)
@own_site
class StreamingTests(TestCase):
    databases = DATABASES
    async_client_class = HostAsyncClient

    def setUp(self):
        register_both()
        add_a_point_each()

    def test_parts_are_made_under_the_tenant_and_sent_under_none(self):
        for page in ("/stream/", "/file/"):
            for slug, expected in EXPECTED.items():
                response = self.client.get(page, headers={"host": f"{slug}.testserver"})
                sent = []
                with self.subTest(page=page, slug=slug):
                    for part in response.streaming_content:
                        self.assertIsNone(tenant_or_none())
                        sent.append(part.decode())
                    self.assertEqual("".join(sent), expected)

    async def test_async_parts_are_made_under_the_tenant_and_sent_under_none(self):
        for slug, expected in EXPECTED.items():
            response = await self.async_client.get("/async-stream/", headers={"host": f"{slug}.testserver"})
            sent = []
            async for part in response.streaming_content:
                self.assertIsNone(tenant_or_none())
                sent.append(part.decode())
            self.assertEqual("".join(sent), expected)

    def test_parts_may_be_sent_under_another_tenant(self):
        for page, slug, expected in (("/stream/", f"{FIRST}.", EXPECTED[FIRST]), ("/central/", "", "None")):
            with self.subTest(page), use_tenant(SECOND):
                response = self.client.get(page, headers={"host": f"{slug}testserver"})
                self.assertEqual(response.getvalue().decode(), expected)
                self.assertEqual(current_tenant().slug, SECOND)

    async def test_async_parts_may_be_sent_under_another_tenant(self):
        pages = (("/async-stream/", f"{FIRST}.", EXPECTED[FIRST]), ("/async-central/", "", "None"))
        for page, slug, expected in pages:
            async with use_tenant(SECOND):
                response = await self.async_client.get(page, headers={"host": f"{slug}testserver"})
                sent = [part.decode() async for part in response.streaming_content]
                self.assertEqual("".join(sent), expected, page)
                self.assertEqual(current_tenant().slug, SECOND)

    def test_an_open_file_is_left_to_the_server(self):
        response = FileResponse(io.BytesIO(b"parts"))
        self.assertIs(keep_tenant(response, None), response)
        self.assertIsNotNone(response.file_to_stream)

    def test_two_streams_may_alternate(self):
        streams = {
            slug: self.client.get("/stream/", headers={"host": f"{slug}.testserver"}).streaming_content
            for slug in EXPECTED
        }
        turns = [b"".join(turn).decode() for turn in zip(*(zip(*streams.values(), strict=True)), strict=True)]
        self.assertEqual(turns, list(EXPECTED.values()))

    def test_the_same_parts_are_refused_without_the_middleware(self):
        with use_tenant(FIRST):
            unprotected = stream(HttpRequest())
        self.assertRaises(NoTenantError, list, unprotected.streaming_content)

    def test_a_stream_that_yields_under_another_tenant_is_refused(self):
        response = self.client.get("/careless/", headers={"host": f"{FIRST}.testserver"})
        with self.assertRaisesMessage(RuntimeError, "do not yield inside it"):
            list(response.streaming_content)
        self.assertIsNone(tenant_or_none())
