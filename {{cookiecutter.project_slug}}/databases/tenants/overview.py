"""What the databases page shows of the tenants: a box for each server, and a list to search. No tenant is asked."""

from __future__ import annotations

from collections import defaultdict

from django.conf import settings
from django.core.paginator import Paginator
from django.db import DatabaseError
from django.db.models import Count, Q
from django.http import HttpRequest
from django.template.loader import render_to_string

from databases.picture import Box
from databases.registry import is_foreign
from databases.report import report_on
from databases.tenants.context import ALIAS_PREFIX
from databases.tenants.pool import pool
from databases.tenants.registry import Tenant

PAGE_SIZE = 50


def boxes_of_servers() -> list[Box]:
    """Return a box for each server in `TENANT_SERVERS`, and for each other that tenants name."""
    counts: dict[str, list[str]] = defaultdict(list)
    try:
        for server, status, number in _rows_by_server():
            counts[server].append(f"{number:,} {status}")
    except DatabaseError as error:
        # Only the class: a driver's message may quote addresses and users.
        return [Box("tenants", "tenant", problems=[f"the registry cannot be read ({type(error).__name__})"])]
    boxes = []
    for server in dict.fromkeys([*settings.TENANT_SERVERS, *counts]):
        box = Box(f"tenants on {server}" if server else "tenants with URLs", "tenant")
        box.facts = [", ".join(counts[server]) or "none yet"]
        if server and server not in settings.TENANT_SERVERS:
            box.problems.append(f"The server {server!r} is not in TENANT_SERVERS: add it.")
        if is_foreign(ALIAS_PREFIX):
            box.writer = "another application"
        boxes.append(box)
    in_use, idle = pool.counts()
    for first in boxes[:1]:
        first.facts.append(f"{in_use + idle} of {settings.TENANT_CONNECTIONS} connections of this process")
    return boxes


def section(request: HttpRequest) -> str:
    """Return a page of the list of tenants as HTML, perhaps of a search, and a report of a chosen tenant."""
    words, slug = request.GET.get("q", "").strip(), request.GET.get("tenant", "")
    found = Tenant.objects.filter(Q(slug__icontains=words) | Q(host__icontains=words))
    try:
        page = Paginator(found.order_by("slug"), PAGE_SIZE).get_page(request.GET.get("page"))
        chosen = Tenant.objects.filter(slug=slug).first() if slug else None
        context = {
            "page": page,
            "words": words,
            "chosen": chosen,
            "report": report_on(chosen.alias) if chosen and not chosen.state.is_closed else None,
            "rows": [(tenant, tenant.state) for tenant in page],
        }
    except DatabaseError:
        # The picture says why.
        return ""
    return render_to_string("tenants/databases.html", context)


def _rows_by_server() -> list[tuple[str, str, int]]:
    numbers = Tenant.objects.order_by("server", "status").values_list("server", "status")
    return [*numbers.annotate(number=Count("pk"))]
