"""Two pages: for development, every database with some of its rows; for staff, a picture of the databases."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.db import DEFAULT_DB_ALIAS, DatabaseError, router
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.connection import ConnectionDoesNotExist
from django.views.decorators.cache import never_cache

from databases.picture import boxes_of, draw
from databases.registry import PRIMARY, is_foreign, role_of_model
from databases.report import Report, report_all, report_listed, report_servers

ROWS = 5


def overview(request: HttpRequest) -> HttpResponse:
    """Show the databases. Raises `Http404` unless `DEBUG` is on: the page shows rows without asking for a login."""
    if not settings.DEBUG:
        raise Http404("The overview is shown only while DEBUG is on.")
    databases = [(report, _rows(report)) for report in report_all()]
    return render(request, "databases/overview.html", {"site_name": _site_name(), "databases": databases})


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


def _rows(report: Report) -> dict[str, list[Any]]:
    """Return the first rows of each of the project's own models in a database, by the models' labels."""
    known = {role_of_model(model) for model in apps.get_models()}
    role = report.role if report.role in known else PRIMARY
    home = DEFAULT_DB_ALIAS if role == PRIMARY else report.alias
    models = [
        model
        for model in apps.get_models()
        if role_of_model(model) == role
        and not model.__module__.startswith("django.")
        # A router of yours may send models to a database that has no role.
        and (is_foreign(home) or router.allow_migrate_model(home, model))
    ]
    try:
        return {model._meta.label: list(model._base_manager.using(report.alias)[:ROWS]) for model in models}
    except (DatabaseError, LookupError, ConnectionDoesNotExist):
        # The report names the problem of this database; the page still shows the others.
        return {}
