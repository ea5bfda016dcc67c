"""How long a new migration takes for all tenants, and the same command when there is nothing to do."""

from benchmarks.tenants import shop
from benchmarks.tenants.arena import OURS, ROUTER, SCHEMAS, STATIC, Arena, Site
from benchmarks.tenants.results import Result, say

#: By name: the project, and the arguments of its function `migrate`.
WAYS: dict[str, tuple[str, tuple[object, ...]]] = {
    "this template": (OURS, ()),
    "this template, 2 processes": (OURS, (2,)),
    "django-tenants": (SCHEMAS, ()),
    "django-tenants, 2 processes": (SCHEMAS, ("multiprocessing",)),
    "django-tenants-router": (ROUTER, ()),
    "django-tenants-router, 4 threads": (ROUTER, (4,)),
    "`migrate` in a loop": (STATIC, ()),
}
NEW, NOTHING = "one new migration", "nothing to do"


def all_tenants(arena: Arena, tenants: int, rounds: int, size: shop.Size = shop.SMALL) -> list[Result]:
    """Measure the command in a process that has just started, without that start.

    In each round every way gets a new migration of the same kind, which stays.
    """
    samples: dict[tuple[str, str], list[float]] = {(work, way): [] for work in (NEW, NOTHING) for way in WAYS}
    migrations = size.migrations
    for turn in range(rounds):
        done: dict[str, int] = {}
        for way, (name, words) in WAYS.items():
            site = _fleet(arena, name, tenants, size)
            # Two ways of one project need two new migrations in a round.
            done[name] = done.get(name, migrations) + 1
            site.write(size._replace(migrations=done[name]))
            for work in (NEW, NOTHING):
                with site.worker() as worker:
                    samples[work, way].append(worker.timed("migrate", *words))
            _check(arena, site, tenants, done[name])
            say(f"round {turn + 1}: {way}: {samples[NEW, way][-1]:.2f} s, {samples[NOTHING, way][-1]:.2f} s")
        migrations = max(done.values())
        for name in (ROUTER, STATIC, OURS, SCHEMAS):
            if done[name] < migrations:
                _level(_fleet(arena, name, tenants, size), size._replace(migrations=migrations))
    of_size = "" if size == shop.SMALL else f" of {size.models} models"
    return [
        Result(f"{tenants} tenants{of_size}, {work}", way, "s", some, WAYS[way][0] == OURS)
        for (work, way), some in samples.items()
    ]


def _fleet(arena: Arena, name: str, tenants: int, size: shop.Size) -> Site:
    prefix = "" if size == shop.SMALL else f"large_{name.replace(' ', '_').replace('-', '_')}"
    return arena.fleet(name, tenants, prefix, size)


def _level(site: Site, size: shop.Size) -> None:
    """Give a project that had fewer new migrations as many as the others have."""
    site.write(size)
    with site.worker() as worker:
        worker.told("migrate")


def _check(arena: Arena, site: Site, tenants: int, migrations: int) -> None:
    """Raise AssertionError unless the first and the last tenant have the newest migration."""
    for number in (0, tenants - 1):
        database, schema = f"{site.prefix}_{number}", "public"
        if site.name == SCHEMAS:
            database, schema = f"{site.prefix}_site", f"t_{number}"
        statement = f"SELECT count(*) FROM {schema}.django_migrations WHERE app = 'shop'"  # noqa: S608
        ((found,),) = arena.server.execute(statement, database)
        assert found == migrations, (site.name, number, found, migrations)
