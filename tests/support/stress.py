"""A program for a project with tenants: threads and tasks that switch tenants as fast as they can."""

#: Makes the tenants, each with a row of its own.
MAKE = """
import sys
import django
django.setup()
from databases.tenants import use_tenant
from databases.tenants.lifecycle import create_tenant
from projects.models import DataPoint

prefix, number = sys.argv[1], int(sys.argv[2])
for each in range(number):
    create_tenant(f"tenant-{each}", database=f"{prefix}_{each}")
    with use_tenant(f"tenant-{each}"):
        DataPoint.objects.create(name=f"tenant-{each}", value=0)
"""
#: Prints JSON: counts of operations, of rows of another tenant, of errors, of waits in vain and of missing writes, and
#: the most connections at a time, as the pool counts them.
PROGRAM = """
import asyncio, json, os, random, sys, threading, time, traceback
import django
django.setup()
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.signals import request_finished, request_started
from django.db import connections, transaction
from django.db.models import F
from django.http import StreamingHttpResponse
from databases import atomic_for
from databases.tenants import use_tenant
from databases.tenants.leases import opened
from databases.tenants.middleware import keep_tenant
from databases.tenants.leases import TooManyConnectionsError
from databases.tenants.pool import pool
from databases.tenants.registry_cache import cache
from django.conf import settings
from projects.models import DataPoint

SEED, TENANTS, THREADS, TASKS, AT_A_TIME, EACH = map(int, sys.argv[1:])
SLUGS = [f"tenant-{number}" for number in range(TENANTS)]
outcome = {"operations": 0, "mismatches": 0, "errors": 0, "waited_in_vain": 0, "most_open": 0}
written = dict.fromkeys(SLUGS, 0)
first_errors = []
lock = threading.Lock()
# Whoever is in a transaction on one tenant and waits for a connection to another one holds what others wait for. Fewer
# of them than connections can always go on.
two_at_once = threading.BoundedSemaphore(settings.TENANT_CONNECTIONS - 1)


class OnPurpose(Exception):
    pass


def check(slug, name):
    with lock:
        outcome["operations"] += 1
        outcome["mismatches"] += name != slug
        outcome["most_open"] = max(outcome["most_open"], sum(pool.counts()))


def read(slug, chance):
    check(slug, DataPoint.objects.get(name__startswith="tenant-").name)
    for _ in range(6):
        with connections[f"tenant_{slug}"].cursor() as cursor:
            cursor.execute("SELECT name FROM projects_datapoint WHERE name LIKE %s", ["tenant-%"])
            check(slug, cursor.fetchone()[0])


def write(slug, chance):
    DataPoint.objects.filter(name=slug).update(value=F("value") + 1)
    with lock:
        written[slug] += 1
    check(slug, slug)


def in_a_transaction(slug, chance):
    # Whoever waits for its turn must not hold a connection either.
    opened.give_back()
    try:
        with two_at_once, atomic_for(DataPoint):
            read(slug, chance)
            other = chance.choice(SLUGS)
            with use_tenant(other, switch=True):
                read(other, chance)
            read(slug, chance)
            if chance.random() < 0.3:
                raise OnPurpose
    except OnPurpose:
        pass


def switch(slug, chance):
    other = chance.choice(SLUGS)
    with use_tenant(other, switch=True):
        (read if chance.random() < 0.7 else in_a_transaction)(other, chance)
    read(slug, chance)


def stream(slug, chance):
    def parts(whose):
        for _ in range(3):
            yield DataPoint.objects.get(name__startswith="tenant-").name

    other = chance.choice(SLUGS)
    streams = [
        (each, iter(keep_tenant(StreamingHttpResponse(parts(each)), cache.by_slug(each)))) for each in (slug, other)
    ]
    for _ in range(3):
        for whose, made in streams:
            check(whose, next(made).decode())


KINDS = [read] * 12 + [switch] * 4 + [in_a_transaction] * 3 + [stream] + [write]


def request(chance):
    request_started.send(sender=None)
    slug = chance.choice(SLUGS)
    try:
        with use_tenant(slug):
            for _ in range(chance.randint(1, 3)):
                chance.choice(KINDS)(slug, chance)
    except Exception as error:
        note(error)
    finally:
        # Some threads never end a request, and some requests end inside of another.
        if chance.random() < 0.9:
            request_finished.send(sender=None)


def note(error):
    with lock:
        outcome["waited_in_vain" if isinstance(error, TooManyConnectionsError) else "errors"] += 1
        if len(first_errors) < 3:
            first_errors.append(traceback.format_exc())


def work(number):
    chance = random.Random(f"{SEED} thread {number}")
    for _ in range(EACH):
        request(chance)
    connections.close_all()


async def async_request(chance, turn):
    slug = chance.choice(SLUGS)
    async with turn, ThreadSensitiveContext():
        try:
            with use_tenant(slug):
                for _ in range(chance.randint(1, 3)):
                    how = chance.randrange(4)
                    if how == 0:
                        check(slug, (await DataPoint.objects.aget(name__startswith="tenant-")).name)
                    elif how == 1:
                        check(slug, [row.name async for row in DataPoint.objects.filter(name__startswith="tenant-")][0])
                    else:
                        await sync_to_async(chance.choice(KINDS))(slug, chance)
                    await asyncio.sleep(0)
        except Exception as error:
            note(error)
        finally:
            await sync_to_async(request_finished.send)(sender=None)


async def task(number, turn):
    chance = random.Random(f"{SEED} task {number}")
    for _ in range(EACH // 60 + 1):
        await async_request(chance, turn)


async def tasks():
    turn = asyncio.Semaphore(AT_A_TIME)
    await asyncio.gather(*(task(number, turn) for number in range(TASKS)))


begun = time.monotonic()
threads = [threading.Thread(target=work, args=[number]) for number in range(THREADS)]
sys.setswitchinterval(0.001)
for each in threads:
    each.start()
asyncio.run(tasks())
for each in threads:
    each.join()
outcome["misplaced"] = 0
for slug in SLUGS:
    with use_tenant(slug):
        found = sum(DataPoint.objects.filter(name=slug).values_list("value", flat=True))
        outcome["misplaced"] += abs(found - written[slug])
outcome["seconds"] = round(time.monotonic() - begun)
print(*first_errors, file=sys.stderr)
print(json.dumps(outcome))
"""
