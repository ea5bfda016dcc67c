"""A page that shows every database with some of its rows, while `DEBUG` is on."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from .overview import Report, report_all
from .roles import PRIMARY, role_of_model

ROWS = 5


def overview(request: HttpRequest) -> HttpResponse:
    """Show the databases. A 404 in production: the page shows rows of every one of them to whoever asks."""
    if not settings.DEBUG:
        raise Http404("The overview is a page for development.")
    databases = [(report, _rows(report)) for report in report_all()]
    return render(request, "databases/overview.html", {"site_name": settings.SITE_NAME, "databases": databases})


def _rows(report: Report) -> dict[str, list[Any]]:
    """Return the first rows of each of the project's own models in a database, by the models' labels."""
    known = {role_of_model(model) for model in apps.get_models()}
    role = report.role if report.role in known else PRIMARY
    models = [model for model in apps.get_models() if role_of_model(model) == role]
    own = [model for model in models if not model.__module__.startswith("django.")]
    try:
        return {model._meta.label: list(model._base_manager.using(report.alias)[:ROWS]) for model in own}
    except (DatabaseError, LookupError):
        # The report says that this database is not well; the page still shows the others.
        return {}
