"""`manage.py move_tenant acme --server eu`: its pages answer 503 meanwhile, and the old database is kept."""

from typing import Any

from django.core.management.base import CommandParser

from databases.fleet.operations import cancel
from databases.fleet.relocate import move, move_online
from databases.fleet.states import FleetStatus
from databases.tenants.commands import TenantCommand


class Command(TenantCommand):
    doing = "moving"
    help = (
        "Copy a tenant's database to another server, compare the two, and switch. Safe to run again. The old database "
        "is closed and kept until `purge_archived_tenants`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--server", default="", help="name of the server, as in TENANT_SERVERS")
        what.add_argument("--cancel", action="store_true", help="cancel an interrupted move")
        parser.add_argument(
            "--online",
            action="store_true",
            help="copy by logical replication: pages answer 503 for seconds only, however large the database is",
        )
        parser.add_argument(
            "--wait", type=float, default=10, help="seconds that open transactions may take to end (10)"
        )

    def run(self, slug: str, *, server: str, wait: float, online: bool, **options: Any) -> str:
        if options["cancel"]:
            tenant = cancel(slug, FleetStatus.MOVING)
        else:
            tenant = (move_online if online else move)(slug, server, timeout=wait)
        return f"{tenant.status}, in the database {tenant.database} on {tenant.server}"
