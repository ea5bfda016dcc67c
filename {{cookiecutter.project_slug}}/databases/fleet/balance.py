"""Which tenants to move, so that servers are evenly full for their room. Nothing is moved here."""

from __future__ import annotations

import math
from bisect import bisect_right
from operator import itemgetter
from typing import NamedTuple

from django.conf import settings

from databases.fleet.placement import room_of
from databases.fleet.states import FleetStatus
from databases.fleet.usage import Usage, usage_on
from databases.tenants.registry import Tenant
from databases.tenants.states import Status

#: By size, servers are even if they differ by less than this part of the average: moving costs more.
EVEN = 0.1


class Move(NamedTuple):
    """A tenant, the server that it is on, and the one to move it to."""

    slug: str
    source: str
    target: str


class Server:
    """A server in a plan: its number of tenants, what they weigh together, and those that may move, by weight."""

    def __init__(self, name: str) -> None:
        self.name, self.room = name, room_of(name)
        self.number = self.weight = 0
        self.movable: list[tuple[int, str]] = []

    def level(self, more: int = 0) -> float:
        """Return how full it is, or would be with so much more."""
        return (self.weight + more) / self.room if self.room else math.inf


def plan(*, by_size: bool = False) -> list[Move]:
    """Return the fewest moves after which no other move makes the servers more even by tenants for their room.

    By size of the databases, the servers need not be more even than `EVEN`. Servers without room are emptied. Only
    active tenants move, each once. Raises what `usage_on` raises, and `ValueError` if a size is not known.
    """
    servers = _servers(by_size)
    room = sum(each.room for each in servers)
    return moves(servers, EVEN * sum(each.weight for each in servers) / max(room, 1) if by_size else 0)


def moves(servers: list[Server], tolerance: float) -> list[Move]:
    """Move tenants from the fullest server to the emptiest one while that makes the two more even."""
    found = []
    sources = [server for server in servers if server.movable]
    while sources:
        source = max(sources, key=Server.level)
        least = source.movable[0][0]
        free = [server for server in servers if server is not source and server.number < server.room]
        target = min(free, key=lambda server: server.level(least), default=None)
        if target is None or source.level() - target.level(least) <= tolerance:
            sources.remove(source)
            continue
        # The largest tenant that does not make the target the fuller one of the two.
        half = (source.weight * target.room - target.weight * source.room) / (source.room + target.room)
        weight, slug = source.movable.pop(max(0, bisect_right(source.movable, half, key=itemgetter(0)) - 1))
        for server, sign in ((source, -1), (target, 1)):
            server.number += sign
            server.weight += sign * weight
        found.append(Move(slug, source.name, target.name))
        if not source.movable:
            sources.remove(source)
    return found


def _servers(by_size: bool) -> list[Server]:
    found = []
    for name in settings.TENANT_SERVERS:
        tenants = Tenant.objects.filter(server=name).exclude(status=FleetStatus.ARCHIVED)
        rows = list(tenants.values_list("slug", "database", "status"))
        usage = usage_on(name, [database for _, database, _ in rows]) if by_size else {}
        server = Server(name)
        for slug, database, status in rows:
            # A pending tenant may have no database yet.
            weight = usage.get(database, Usage(0, 0)).size if by_size else 1
            if weight is None:
                raise ValueError(
                    f"The size of the database of {slug!r} is unknown: grant pg_read_all_stats to the user of the "
                    f"server {name!r} in TENANT_SERVERS."
                )
            server.number += 1
            server.weight += weight
            if status == Status.ACTIVE:
                server.movable.append((weight, slug))
        server.movable.sort()
        found.append(server)
    return found
