"""The answers for hosts without a site and for tenants that are not served. In `DEBUG` they say why, and what to do."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.utils.html import format_html, format_html_join

from databases.tenants.registry import Tenant
from databases.tenants.resolvers import PATH

RETRY_AFTER_SECONDS = 300
#: The number of tenants that the page for an unknown host lists.
LISTED = 50


def unavailable(reason: str) -> HttpResponse:
    """Return the 503 for a tenant that cannot be served now."""
    text = reason if settings.DEBUG else "This site is temporarily unavailable."
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", status=503, headers=headers)


def no_site(request: HttpRequest, reason: str) -> HttpResponse:
    """Return a page with the reason and the sites that there are. Raises `Http404` unless `DEBUG` is on."""
    if not settings.DEBUG:
        raise Http404("There is no site at this host.")
    try:
        tenants = [*Tenant.objects.values_list("slug", "host")[:LISTED]]
    except DatabaseError:
        tenants = []
    port = split_domain_port(request.get_host())[1]
    domain = f"{settings.SITE_DOMAIN}:{port}" if port else settings.SITE_DOMAIN
    by_path = settings.TENANT_RESOLVER.endswith(".by_path")
    sites = [domain, *(f"{domain}/{PATH}/{slug}" if by_path else f"{host}.{domain}" for slug, host in tenants)]
    links = format_html_join("", '<li><a href="{0}://{1}/">{1}</a></li>', ((request.scheme, site) for site in sites))
    page = format_html(
        "<!doctype html><title>Not found</title><h1>Not found: {}{}</h1><p>{}</p><p>These sites are known:</p>"
        "<ul>{}</ul><p>Make another one with <code>manage.py create_tenant</code>. This page is shown because "
        "<code>DEBUG</code> is on.</p>",
        request.get_host(),
        request.path,
        reason,
        links,
    )
    return HttpResponse(page, status=404)
