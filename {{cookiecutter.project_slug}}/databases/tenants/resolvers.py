"""Finds the tenant of a request or of a websocket. `TENANT_RESOLVER` names the function that decides.

A resolver takes the host, without a port and in lower case, and the path. It returns a `Place`, and raises
`UnknownTenantError` if no site is there. Write your own in ten lines, with `cache.by_slug`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.module_loading import import_string

from databases.tenants.context import SLUG, UnknownTenantError
from databases.tenants.registry import TenantInfo
from databases.tenants.registry_cache import cache

#: The first part of the paths of tenants' pages with `by_path`: `/t/acme/…`.
PATH = "t"


class Place(NamedTuple):
    """A tenant's site, or the central site if the tenant is `None`, and the beginning of the paths of its pages."""

    tenant: TenantInfo | None
    prefix: str = ""


def by_subdomain(host: str, path: str) -> Place:
    """`SITE_DOMAIN` is the central site, and `<host>.SITE_DOMAIN` the tenant with that host."""
    if host == settings.SITE_DOMAIN:
        return Place(None)
    name = host.removesuffix(f".{settings.SITE_DOMAIN}")
    if name == host or not SLUG.fullmatch(name):
        raise UnknownTenantError(f"There is no site at the host {host!r}.")
    return Place(cache.by_host(name))


def by_domain(host: str, path: str) -> Place:
    """As `by_subdomain`, and the verified domains of tenants. Set `ALLOWED_HOSTS` to `*`: the registry decides."""
    if f".{host}".endswith(f".{settings.SITE_DOMAIN}"):
        return by_subdomain(host, path)
    return Place(cache.by_domain(host))


def by_path(host: str, path: str) -> Place:
    """`/t/<slug>/` is a tenant's site, and every other path the central one.

    All sites have one host, so a browser has one session for all of them: it is logged in to one tenant at a time.
    """
    if host != settings.SITE_DOMAIN:
        raise UnknownTenantError(f"There is no site at the host {host!r}.")
    first, _, rest = path.removeprefix("/").partition("/")
    slug, slash, _ = rest.partition("/")
    if first != PATH or not slash:
        return Place(None)
    if not SLUG.fullmatch(slug):
        raise UnknownTenantError(f"There is no site at the path /{PATH}/{slug}/.")
    return Place(cache.by_slug(slug), f"/{PATH}/{slug}")


def resolve(host: str, path: str) -> Place:
    """Return what the project's resolver finds. Raises what it raises."""
    place: Place = import_string(settings.TENANT_RESOLVER)(host, path)
    return place


def resolve_scope(scope: dict[str, Any]) -> Place:
    """Return the same for an ASGI scope, as of a websocket. Raises `UnknownTenantError` for a host not allowed, too."""
    sent = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin1")
    host = split_domain_port(sent)[0]
    if not validate_host(host, settings.ALLOWED_HOSTS):
        raise UnknownTenantError(f"The host {sent!r} is not in ALLOWED_HOSTS: add it there.")
    return resolve(host, scope["path"])
