"""A page that adds notes to the primary, and lists the events of that in the secondary."""

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth import get_user_model
from django.forms import modelform_factory
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from databases import atomic_for, load_related
from notes.models import Note

from .models import Event, record

NoteForm = modelform_factory(Note, fields=["text"])


@staff_member_required
def events(request: HttpRequest) -> HttpResponse:
    """List the last events, each with its note and its user. A POST adds a note, and the event for it.

    Only users who may enter the admin see what others have done.
    """
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with atomic_for(Note):
            note = form.save()
            record("added", note.pk, request.user)
        return HttpResponseRedirect(request.path)
    found = list(Event.objects.all()[:50])
    # One query to the primary for each, however many events there are.
    load_related(found, "note_id", Note)
    load_related(found, "user_id", get_user_model())
    return render(request, "events/events.html", {"form": form, "events": found, "site_name": settings.SITE_NAME})
