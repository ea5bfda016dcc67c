"""Finds the tenant of a request by its host and makes it the current one, also while a response is streamed."""

from __future__ import annotations

import copy
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.views.defaults import page_not_found

from ..outage import database_that_is_away
from . import lookup
from .context import SLUG, NoTenantError, UnknownTenantError, use_tenant
from .registry import Tenant

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 300


class TenantMiddleware:
    """Serves `SITE_DOMAIN` as the central site, without a tenant, and `<a tenant's host>.SITE_DOMAIN` as that tenant's.

    An unknown host is a 404, and so is a tenant's page on the central host; a tenant that is suspended or not ready
    yet is a 503, and so is one that this process has not met while the registry's database is down. Sets
    `request.tenant`, a `Tenant` or `None`. Hosts that are not in `ALLOWED_HOSTS` never get here.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._respond_async(request)
        try:
            tenant = request.tenant = find_tenant(request)  # type: ignore[attr-defined]
        except lookup.TenantUnavailableError:
            return unavailable()
        if tenant is None:
            response: HttpResponseBase = self.get_response(request)
            return response
        if not tenant.is_served:
            return unavailable()
        with use_tenant(tenant.slug, switch=True):
            return keep_tenant(self.get_response(request), tenant.slug)

    async def _respond_async(self, request: HttpRequest) -> HttpResponseBase:
        try:
            tenant = request.tenant = await sync_to_async(find_tenant)(request)  # type: ignore[attr-defined]
        except lookup.TenantUnavailableError:
            return unavailable()
        if tenant is None:
            response: HttpResponseBase = await self.get_response(request)
            return response
        if not tenant.is_served:
            return unavailable()
        with use_tenant(tenant.slug, switch=True):
            return keep_tenant(await self.get_response(request), tenant.slug)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, NoTenantError) and request.tenant is None:  # type: ignore[attr-defined]
            logger.warning("A page of tenants was asked for on the central host: %s", request.path)
            return page_not_found(request, exception)
        tenant = request.tenant  # type: ignore[attr-defined]
        if tenant is not None and database_that_is_away(exception) == tenant.alias:
            # The class only: a driver's message quotes the address, and some the user.
            logger.warning("The tenant's database cannot be asked (%s)", type(exception.__cause__).__name__)
            return unavailable()
        return unavailable() if isinstance(exception, lookup.TenantUnavailableError) else None


def find_tenant(request: HttpRequest) -> Tenant | None:
    """Return the tenant whose host the request was sent to, or `None` for the central site.

    Raises `Http404`, and `TenantUnavailableError` where the registry cannot be asked.
    """
    domain = split_domain_port(request.get_host())[0]
    if domain == settings.SITE_DOMAIN:
        return None
    host = domain.removesuffix(f".{settings.SITE_DOMAIN}")
    if host == domain or not SLUG.fullmatch(host):
        raise Http404("No site lives at this host.")
    try:
        tenant = lookup.by_host(host)
    except UnknownTenantError as error:
        raise Http404("No site lives at this host.") from error
    # % if cookiecutter.__managed_tenants
    if tenant.status == Tenant.Status.ARCHIVED:
        raise Http404("No site lives at this host any more.")
    # % endif
    # A copy: whoever has the request may change it, and the process remembers the other one.
    return copy.copy(tenant)


def unavailable() -> HttpResponse:
    """Return the answer for a tenant that cannot be served now."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return HttpResponse("This site is not available at the moment.", status=503, headers=headers)


def keep_tenant(response: HttpResponseBase, slug: str) -> HttpResponseBase:
    """Return the response, made to produce its streamed parts under its tenant: the middleware has left it by then."""
    # An open file is sent as it is, by servers that can; all else may query while it is sent.
    if isinstance(response, StreamingHttpResponse) and getattr(response, "file_to_stream", None) is None:
        content: Any = response.streaming_content
        response.streaming_content = _parts_async(content, slug) if response.is_async else _parts(content, slug)
    return response


def _parts(content: Iterable[bytes], slug: str) -> Iterator[bytes]:
    parts = iter(content)
    while True:
        # Around each step, not around the loop: between two parts the caller's own code runs.
        with use_tenant(slug, switch=True):
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part


async def _parts_async(content: AsyncIterable[bytes], slug: str) -> AsyncIterator[bytes]:
    parts = aiter(content)
    while True:
        with use_tenant(slug, switch=True):
            try:
                part = await anext(parts)
            except StopAsyncIteration:
                return
        yield part
