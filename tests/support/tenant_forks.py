"""A program for a project with tenants on PostgreSQL: it forks while it has connections, in use and idle."""

#: Prints JSON: what each child has found and done, and what the parent finds afterwards. The only argument is the name
#: of the thread that forks, `main` or `other`.
PROGRAM = """
import gc, json, os, sys, threading
import django
django.setup()
from django.db import connections, transaction
from databases.tenants import use_tenant
from databases.tenants.leases import opened
from databases.tenants.pool import pool
from projects.models import DataPoint

IDLE, IN_USE, OF_ANOTHER_THREAD = SLUGS = ["tenant-0", "tenant-1", "tenant-2"]


def session(slug):
    with connections[f"tenant_{slug}"].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def session_of_a_block(slug):
    with use_tenant(slug, switch=True):
        return session(slug)


def add(slug, name):
    with use_tenant(slug, switch=True):
        DataPoint.objects.create(name=name, value=1)


def in_child(before):
    seen = {"counts": pool.counts(), "aliases": opened.aliases()}
    # Objects of threads that do not exist here are deleted at the latest now.
    gc.collect()
    for slug in SLUGS:
        add(slug, f"child of {slug}")
    seen["sessions of the parent"] = [slug for slug in SLUGS if session_of_a_block(slug) in before.values()]
    connections.close_all()
    pool.close_idle()
    seen["counts at the end"] = pool.counts()
    return seen


def fork(before):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, json.dumps(in_child(before)).encode())
        os.close(write)
        return None
    os.close(write)
    with os.fdopen(read) as answers:
        seen = json.loads(answers.read() or "null")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return seen


def hold(slug, begun, ended, found):
    with use_tenant(slug), transaction.atomic(using=f"tenant_{slug}"):
        DataPoint.objects.create(name=f"parent of {slug}", value=1)
        found["before"] = session(slug)
        begun.set()
        ended.wait()
        found["after"] = session(slug)


def run():
    begun, ended, found = threading.Event(), threading.Event(), {}
    # A daemon: nobody waits for it in the child, where it does not run.
    other = threading.Thread(target=hold, args=[OF_ANOTHER_THREAD, begun, ended, found], daemon=True)
    other.start()
    begun.wait()
    before = {IDLE: session_of_a_block(IDLE)}
    with use_tenant(IN_USE), transaction.atomic(using=f"tenant_{IN_USE}"):
        DataPoint.objects.create(name=f"parent of {IN_USE}", value=1)
        before |= {IN_USE: session(IN_USE), OF_ANOTHER_THREAD: found["before"]}
        counts = pool.counts()
        seen = fork(before)
        if os.getpid() != PARENT:
            if sys.argv[1] == "other":
                # Python ends no process for a thread.
                os._exit(0)
            # The child leaves its blocks, and Python deletes its objects.
            sys.exit()
        after = {IN_USE: session(IN_USE)}
    ended.set()
    other.join()
    after |= {IDLE: session_of_a_block(IDLE), OF_ANOTHER_THREAD: found["after"]}
    rows = {}
    for slug in SLUGS:
        with use_tenant(slug):
            rows[slug] = sorted(DataPoint.objects.values_list("name", flat=True))
    said = {"counts": counts, "child": seen, "same sessions": before == after, "rows": rows}
    print(json.dumps(said), flush=True)


PARENT = os.getpid()
if sys.argv[1] == "main":
    run()
else:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
"""
