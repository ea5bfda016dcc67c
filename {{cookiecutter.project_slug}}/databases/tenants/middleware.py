"""Finds the tenant of a request by its host, and makes it the current tenant, also while the response is streamed."""

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

from databases.availability import unavailable_database
from databases.tenants import registry_cache
from databases.tenants.context import SLUG, NoTenantError, UnknownTenantError, use_tenant
from databases.tenants.registry import Tenant

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 300


class TenantMiddleware:
    """Serves `SITE_DOMAIN` as the central site, without a tenant, and `<host>.SITE_DOMAIN` as the tenant of that host.

    Unknown hosts answer 404, and so do tenants' pages on the central host. Suspended and pending tenants answer 503,
    and so do tenants that are not in the cache while the registry's database is down. Sets `request.tenant`, a `Tenant`
    or `None`. Django refuses hosts that are not in `ALLOWED_HOSTS`.
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
        except registry_cache.TenantUnavailableError as error:
            return unavailable(str(error))
        if tenant is None:
            response: HttpResponseBase = self.get_response(request)
            return response
        if not tenant.state.is_served:
            return _not_served(tenant)
        with use_tenant(tenant.slug, switch=True):
            return keep_tenant(self.get_response(request), tenant.slug)

    async def _respond_async(self, request: HttpRequest) -> HttpResponseBase:
        try:
            tenant = request.tenant = await sync_to_async(find_tenant)(request)  # type: ignore[attr-defined]
        except registry_cache.TenantUnavailableError as error:
            return unavailable(str(error))
        if tenant is None:
            response: HttpResponseBase = await self.get_response(request)
            return response
        if not tenant.state.is_served:
            return _not_served(tenant)
        with use_tenant(tenant.slug, switch=True):
            return keep_tenant(await self.get_response(request), tenant.slug)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, NoTenantError) and request.tenant is None:  # type: ignore[attr-defined]
            logger.warning("A tenant's page was requested on the central host: %s", request.path)
            return page_not_found(request, exception)
        tenant = request.tenant  # type: ignore[attr-defined]
        if tenant is not None and unavailable_database(exception) == tenant.alias:
            # Only the class: messages of drivers contain the address, and some the user.
            reason = f"The tenant's database is unavailable ({type(exception.__cause__).__name__})"
            logger.warning(reason)
            return unavailable(reason)
        return unavailable(str(exception)) if isinstance(exception, registry_cache.TenantUnavailableError) else None


def find_tenant(request: HttpRequest) -> Tenant | None:
    """Return the tenant whose host the request was sent to, or `None` for the central site.

    Raises `Http404`, and `TenantUnavailableError` if the registry is unavailable.
    """
    domain = split_domain_port(request.get_host())[0]
    if domain == settings.SITE_DOMAIN:
        return None
    host = domain.removesuffix(f".{settings.SITE_DOMAIN}")
    if host == domain or not SLUG.fullmatch(host):
        raise Http404("There is no site at this host.")
    try:
        tenant = registry_cache.by_host(host)
    except UnknownTenantError as error:
        raise Http404("There is no site at this host.") from error
    if tenant.state.is_gone:
        raise Http404("The site of this host was closed.")
    # A copy: code that changes request.tenant must not change the cached row.
    return copy.copy(tenant)


def unavailable(reason: str) -> HttpResponse:
    """Return the 503 for a tenant that cannot be served now. It shows the reason while `DEBUG` is on."""
    text = reason if settings.DEBUG else "This site is temporarily unavailable."
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return HttpResponse(text, content_type="text/plain", status=503, headers=headers)


def _not_served(tenant: Tenant) -> HttpResponse:
    return unavailable(f"The tenant {tenant.slug!r} is {tenant.status}: {tenant.state.way_out}.")


def keep_tenant(response: HttpResponseBase, slug: str) -> HttpResponseBase:
    """Make a streamed response produce its parts under its tenant, which the middleware has left by then."""
    # Some servers send an open file themselves. Other streams may query while they are sent.
    if isinstance(response, StreamingHttpResponse) and getattr(response, "file_to_stream", None) is None:
        content: Any = response.streaming_content
        response.streaming_content = _parts_async(content, slug) if response.is_async else _parts(content, slug)
    return response


def _parts(content: Iterable[bytes], slug: str) -> Iterator[bytes]:
    parts = iter(content)
    while True:
        # Around each step, not around the loop: the caller's code runs between two parts.
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
