"""Pages of a project with replicas. Each says which server answered its query: the server itself reports that."""

PAGES = '''
import asyncio
import contextlib
import contextvars
import threading

from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import connection, connections, router, transaction
from django.db.models import CharField, Func, Value
from django.forms import modelform_factory
from django.http import HttpResponse, StreamingHttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from databases.replicas import use_primary, use_replica
from databases.replicas.writes import StaleInstanceError
from notes.models import Note
from users.models import User

SERVER = Func(Value("cluster_name"), function="current_setting", output_field=CharField())
SLOW = """
    SELECT id, current_setting('cluster_name') AS server,
        CASE WHEN pg_is_in_recovery() THEN pg_sleep(60) END AS slept FROM notes_note LIMIT 1
"""


def names(queryset):
    return queryset.annotate(server=SERVER).values_list("server", flat=True)[:1]


def where(queryset=None):
    (server,) = names(Note.objects.all() if queryset is None else queryset)
    return server


def write():
    return Note.objects.create(text="written")


def read(request):
    return where()


def read_with_use_replica(request):
    with use_replica():
        return where()


@use_primary()
def read_with_use_primary(request):
    return where()


def write_and_read(request):
    write()
    return where()


def raw_write_and_read(request):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notes_note SET text = text")
    return where()


def hidden_write_and_read(request):
    with connection.cursor() as cursor:
        cursor.execute("/* hidden */ WITH x AS (UPDATE notes_note SET text = text RETURNING id) SELECT count(*) FROM x")
    return where()


def failed_write_and_read(request):
    with contextlib.suppress(Exception):
        Note.objects.create(pk=Note.objects.using("default").first().pk, text="twice")
    return where()


def union_and_read(request):
    a = Note.objects.using("default").filter(pk=1)
    list(a.union(a))
    return where()


def read_in_transaction(request):
    with transaction.atomic():
        return where()


def read_on_commit(request):
    found = []
    with transaction.atomic():
        write()
        transaction.on_commit(lambda: found.append(where()))
    return found[0]


def follow(request):
    note = Note.objects.using("default").first()
    return where(Note.objects.db_manager(hints={"instance": note}).all())


def follow_user(request):
    return where(Note.objects.db_manager(hints={"instance": User.objects.first()}).all())


def follow_replica(request):
    note = Note.objects.first()
    here = note._state.db
    there = router.db_for_read(Note, instance=note)
    return where() if here == there else "another one"


def refresh(request):
    note = Note.objects.first()
    note.refresh_from_db()
    return {"default": "default"}.get(note._state.db) or where()


def refresh_in_use_primary(request):
    note = Note.objects.first()
    with use_primary():
        note.refresh_from_db()
        note.save()
    return note._state.db


def deferred(request):
    note = Note.objects.only("pk").first()
    note.text
    return "default" if note._state.db == "default" else where()


def refused(change):
    note = Note.objects.first()
    try:
        change(note)
    except StaleInstanceError:
        return "refused"
    return note._state.db


def save(request):
    return refused(lambda note: note.save())


def save_fields(request):
    return refused(lambda note: note.save(update_fields=["text"]))


def delete(request):
    write()
    return "default" if Note.objects.filter(text="written").first().delete()[0] else "nowhere"


def update(request):
    asked = Asked()
    with asked:
        Note.objects.filter(text="written").update(text="written")
    return asked.first


class Asked(contextlib.ExitStack):
    """Notes which database is asked first."""

    first = ""

    def __enter__(self):
        for alias in connections:
            self.enter_context(connections[alias].execute_wrapper(self.note))
        return super().__enter__()

    def note(self, execute, sql, params, many, context):
        self.first = self.first or context["connection"].alias
        return execute(sql, params, many, context)


def get_or_create(request):
    asked = Asked()
    with asked:
        Note.objects.get_or_create(text="first")
    return asked.first


def update_or_create(request):
    asked = Asked()
    with asked:
        Note.objects.update_or_create(text="first", defaults={"text": "first"})
    return asked.first


def prefetch(request):
    # The second query of a prefetch goes where the first went.
    from django.db.models import prefetch_related_objects
    user = User.objects.first()
    user._state.db = "default"
    prefetch_related_objects([user], "groups")
    return where()


def logged_in(request):
    links = User.groups.through.objects, User.user_permissions.through.objects
    rows = (User.objects, *links, Permission.objects, ContentType.objects, Session.objects)
    found = {router.db_for_read(each.model) for each in rows}
    found |= {where(User.objects.all()), where(Session.objects.all())}
    return found.pop() if len(found) == 1 else "several"


def listed(request):
    before, settings.READ_FROM_PRIMARY = settings.READ_FROM_PRIMARY, ["notes"]
    try:
        return where()
    finally:
        settings.READ_FROM_PRIMARY = before


def raw_cursor(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('cluster_name')")
        return cursor.fetchone()[0]


def raw_queryset(request):
    return Note.objects.raw("SELECT id, current_setting('cluster_name') AS server FROM notes_note LIMIT 1")[0].server


def iterator(request):
    return next(iter(names(Note.objects.all()).iterator()))


def count(request):
    asked = Asked()
    with asked:
        Note.objects.count()
    return where() if asked.first != "default" else "default"


def lock(request):
    with transaction.atomic():
        return where(Note.objects.select_for_update())


def validate(request):
    note = Note.objects.using("default").first()
    asked = Asked()
    with asked, contextlib.suppress(ValidationError):
        Note(pk=note.pk, text="another").validate_unique()
    return "default" if asked.first == "default" else where()


def model_form(request):
    note = Note.objects.first()
    form = modelform_factory(Note, fields=["text"])({"text": "from a form"}, instance=note)
    form.save()
    return note._state.db


def after_an_exception(request):
    try:
        with use_primary():
            raise KeyError
    except KeyError:
        return where()


def in_thread(work):
    # A new thread has no state of the request, like a task or a command.
    found = []
    thread = threading.Thread(target=lambda: (found.append(work()), connections.close_all()))
    thread.start()
    thread.join()
    return found[0]


def task(request):
    return in_thread(where)


def thread_with_context(request):
    context = contextvars.copy_context()
    return in_thread(lambda: context.run(where))


def asking_task(request):
    return in_thread(use_replica()(where))


def writing_task(request):
    def work():
        write()
        with use_replica():
            return where()
    return in_thread(work)


def sent_task(request):
    note = write()
    def work():
        with use_replica():
            return where(Note.objects.filter(pk=note.pk)) if Note.objects.filter(pk=note.pk).exists() else "stale"
    return in_thread(work)


def cached(request):
    return cache.get_or_set("where", use_primary()(where), 0)


def stream(request):
    return StreamingHttpResponse(where() for _ in range(1))


def stream_with_use_replica(request):
    def rows():
        with use_replica():
            yield where()
    return StreamingHttpResponse(rows())


class Late(SimpleTemplateResponse):
    @property
    def rendered_content(self):
        return where()


def late(request):
    return Late([])


def slow(request):
    return Note.objects.raw(SLOW)[0].server


async def async_read(request):
    return HttpResponse([server async for server in names(Note.objects.all())][0])


async def async_iterator(request):
    return HttpResponse([server async for server in names(Note.objects.all()).aiterator()][0])


async def async_write(request):
    await asyncio.gather(Note.objects.acreate(text="written"))
    return await async_read(request)


async def async_block(request):
    async with use_primary():
        return await async_read(request)


def same(request):
    found = {where() for _ in range(20)}
    return found.pop() if len(found) == 1 else "several"


def limit(request, seconds):
    settings.REPLICA_MAX_LAG_SECONDS = float(seconds)
    return "done"


def rows(request):
    return str(Note.objects.filter(text="written").count())


def page(view):
    def respond(request, **words):
        answer = view(request, **words)
        return answer if hasattr(answer, "headers") else HttpResponse(answer)
    return csrf_exempt(respond)


SYNC = [
    read, read_with_use_replica, read_with_use_primary, write_and_read, raw_write_and_read, hidden_write_and_read,
    failed_write_and_read, union_and_read, read_in_transaction, read_on_commit, follow, follow_user, follow_replica,
    refresh, refresh_in_use_primary, deferred, save, save_fields, delete, update, get_or_create, update_or_create,
    prefetch, logged_in, listed, raw_cursor, raw_queryset, iterator, count, lock, validate, model_form,
    after_an_exception, task, thread_with_context, asking_task, writing_task, sent_task, cached, stream,
    stream_with_use_replica, late, slow, same, rows,
]
ASYNC = [async_read, async_iterator, async_write, async_block]
urlpatterns = [
    *(path(f"{view.__name__}/", page(view)) for view in SYNC),
    *(path(f"{view.__name__}/", csrf_exempt(view)) for view in ASYNC),
    path("limit/<seconds>/", page(limit)),
]
'''

PREPARE = """
import django
django.setup()
from users.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone
from notes.models import Note
Note.objects.create(text="first")
User.objects.create_user("ann")
Session.objects.create(session_key="x", session_data="", expire_date=timezone.now())
"""
