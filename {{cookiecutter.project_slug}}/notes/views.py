"""The start page, which is for development: notes of the primary, and what to try with each database."""

from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.forms import modelform_factory
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from .models import Note

NoteForm = modelform_factory(Note, fields=["text"])


def start(request: HttpRequest) -> HttpResponse:
    """Show the newest notes, and each `templates/start/*.html` of the apps. A POST adds a note.

    Raises `Http404` unless `DEBUG` is on, because the page asks for no login.
    """
    if not settings.DEBUG:
        raise Http404("The start page is for development.")
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return HttpResponseRedirect(request.path)
    notes = Note.objects.all()[:5]
    folders = [Path(config.path, "templates/start") for config in apps.get_app_configs()]
    sections = [f"start/{file.name}" for folder in folders for file in sorted(folder.glob("*.html"))]
    context = {"form": form, "notes": notes, "database": notes.db, "sections": sections}
    return render(request, "notes/start.html", {**context, "site_name": settings.SITE_NAME})
