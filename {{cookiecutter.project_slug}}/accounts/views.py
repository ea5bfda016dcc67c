"""A page with rows of the mirror, for development: who may write there, and who may not."""

from django.conf import settings
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from databases.mirror import MirrorWriteError

from . import demo
from .models import Member


def members(request: HttpRequest) -> HttpResponse:
    """List the members. A POST says who writes: the other application, a model of ours, or SQL of ours.

    Raises `Http404` unless `DEBUG` is on, because the page asks for no login.
    """
    if not settings.DEBUG:
        raise Http404("The page of members is for development.")
    writer, refusal = request.POST.get("writer"), None
    if writer == "other application":
        demo.add_member()
        return HttpResponseRedirect(request.path)
    try:
        if writer == "model":
            Member.objects.filter(name="Chell").update(name="Wheatley")
        elif writer == "SQL":
            with connections["mirror"].cursor() as cursor:
                cursor.execute("DELETE FROM accounts_member WHERE name = 'Chell'")
    except MirrorWriteError as error:
        refusal = error
    context = {"members": Member.objects.select_related("organisation"), "refusal": refusal}
    return render(request, "accounts/members.html", {**context, "site_name": settings.SITE_NAME})
