"""Finds the tenant of a request, and makes it the current tenant, also while the response is streamed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.urls import get_resolver, get_script_prefix, set_script_prefix

from databases.availability import unavailable_database
from databases.tenants.context import NoTenantError, TenantUnavailableError, UnknownTenantError, tenant_block
from databases.tenants.pages import no_site, unavailable
from databases.tenants.registry import TenantInfo
from databases.tenants.resolvers import resolve

logger = logging.getLogger(__name__)


class TenantMiddleware:
    """Serves each request as the tenant that `TENANT_RESOLVER` finds, or as the central site, without a tenant.

    Unknown hosts answer 404, and so do tenants' pages on the central host. Suspended and pending tenants answer 503,
    and so do tenants that are not in the cache while the registry's database is down. Sets `request.tenant`, a
    `TenantInfo` or `None`. Django refuses hosts that are not in `ALLOWED_HOSTS`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        with tenant_block(None):
            # Django imports it at the first request. Querysets of its classes would belong to the tenant of that one.
            get_resolver().url_patterns  # noqa: B018
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._respond_async(request)
        prefix = get_script_prefix()
        try:
            return find_tenant(request) or self._respond(request)
        finally:
            set_script_prefix(prefix)

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        # Also without a tenant: whatever ran in this thread before may have left one.
        with tenant_block(request.tenant) as tenant:  # type: ignore[attr-defined]
            return keep_tenant(self.get_response(request), tenant)

    async def _respond_async(self, request: HttpRequest) -> HttpResponseBase:
        prefix = get_script_prefix()
        try:
            refusal = await sync_to_async(find_tenant)(request)
            if refusal is not None:
                return refusal
            with tenant_block(request.tenant) as tenant:  # type: ignore[attr-defined]
                return keep_tenant(await self.get_response(request), tenant)
        finally:
            set_script_prefix(prefix)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        tenant = request.tenant  # type: ignore[attr-defined]
        if isinstance(exception, NoTenantError) and tenant is None:
            logger.warning("A tenant's page was requested on the central host: %s", request.path)
            return no_site(request, f"{request.path} needs a tenant, and this host has none. {exception}")
        if isinstance(exception, TenantUnavailableError):
            return unavailable(str(exception))
        if tenant is not None and unavailable_database(exception) == tenant.alias:
            # Only the class: messages of drivers contain the address, and some the user.
            cause = type(exception.__cause__).__name__
            logger.warning("The database of %r is unavailable (%s)", tenant.slug, cause)
            cure = "check its server, which `manage.py list_tenants` names"
            return unavailable(f"The database of {tenant.slug!r} is unavailable ({cause}): {cure}.")
        return None


def find_tenant(request: HttpRequest) -> HttpResponse | None:
    """Set `request.tenant`, and return a response if there is nothing to serve. Raises `Http404`."""
    request.tenant = None  # type: ignore[attr-defined]
    try:
        place = resolve(split_domain_port(request.get_host())[0], request.path_info)
    except UnknownTenantError as error:
        return no_site(request, str(error))
    except TenantUnavailableError as error:
        return unavailable(str(error))
    tenant = request.tenant = place.tenant  # type: ignore[attr-defined]
    if place.prefix:
        # As for a project that is mounted below a path, so that reverse() makes the tenant's URLs.
        request.path_info = request.path_info.removeprefix(place.prefix) or "/"
        set_script_prefix(f"{get_script_prefix().removesuffix('/')}{place.prefix}/")
    if tenant is None or tenant.state.is_served:
        return None
    reason = f"The tenant {tenant.slug!r} is {tenant.status}: {tenant.state.way_out}."
    return no_site(request, reason) if tenant.state.is_gone else unavailable(reason)


def keep_tenant(response: HttpResponseBase, tenant: TenantInfo | None) -> HttpResponseBase:
    """Make a streamed response produce its parts under its tenant, which the middleware has left by then."""
    # Some servers send an open file themselves. Other streams may query while they are sent.
    if isinstance(response, StreamingHttpResponse) and getattr(response, "file_to_stream", None) is None:
        content: Any = response.streaming_content
        response.streaming_content = _parts_async(content, tenant) if response.is_async else _parts(content, tenant)
    return response


def _parts(content: Iterable[bytes], tenant: TenantInfo | None) -> Iterator[bytes]:
    parts = iter(content)
    while True:
        # Around each step, not around the loop: the caller's code runs between two parts.
        with tenant_block(tenant):
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part


async def _parts_async(content: AsyncIterable[bytes], tenant: TenantInfo | None) -> AsyncIterator[bytes]:
    parts = aiter(content)
    while True:
        with tenant_block(tenant):
            try:
                part = await anext(parts)
            except StopAsyncIteration:
                return
        yield part
