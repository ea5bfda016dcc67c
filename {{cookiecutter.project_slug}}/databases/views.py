"""The page of the databases: a picture, how they are, and who reads and writes them."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from databases.picture import boxes_of, draw
from databases.report import report_listed, report_servers


@never_cache
def databases(request: HttpRequest) -> HttpResponseBase:
    """Show the databases, how they are, and who reads and writes them, to staff. While `DEBUG` is on, to everyone."""
    return _databases(request) if settings.DEBUG else staff_member_required(_databases)(request)


def _databases(request: HttpRequest) -> HttpResponse:
    reports = report_listed()
    boxes = boxes_of(reports)
    sections = [config.page_section(request) for config in apps.get_app_configs() if hasattr(config, "page_section")]
    context = {
        "site_name": _site_name(),
        "reports": [*reports, *report_servers()],
        "picture": draw(boxes),
        "problems": sum(bool(box.problems) for box in boxes),
        "sections": sections,
    }
    return render(request, "databases/databases.html", context)


def _site_name() -> str:
    return str(getattr(settings, "SITE_NAME", "this project"))
