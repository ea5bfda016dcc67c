"""`manage.py fleet plan`: which tenants to move, so that servers are evenly full."""

import json
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.fleet.balance import Move, plan
from databases.tenants.commands import command_errors, for_each, select_tenants
from databases.tenants.registry import Tenant


class Command(BaseCommand):
    help = "Look at all servers of tenants together."

    def add_arguments(self, parser: CommandParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        planning = subcommands.add_parser("plan", help="print the fewest moves after which servers are evenly full")
        planning.add_argument(
            "--by", choices=["tenants", "size"], default="tenants", help="what fills a server's room (tenants)"
        )
        what = planning.add_mutually_exclusive_group()
        what.add_argument("--json", action="store_true", help="write a JSON list")
        what.add_argument("--move", action="store_true", help="move the tenants, one after the other")

    def handle(self, *, by: str, **options: Any) -> None:
        with command_errors("fleet plan"):
            moves = plan(by_size=by == "size")
        if options["json"]:
            self.stdout.write(json.dumps([move._asdict() for move in moves], indent=2))
        elif not moves:
            self.stderr.write("Nothing to move.")
        elif options["move"]:
            self.move(moves)
        else:
            for move in moves:
                self.stdout.write(f"move_tenant {move.slug} --server {move.target}")

    def move(self, moves: list[Move]) -> None:
        """Move tenants, and report each. Raises `CommandError` if a move fails."""
        targets = {move.slug: move.target for move in moves}

        def work(tenant: Tenant) -> None:
            call_command("move_tenant", tenant.slug, "--server", targets[tenant.slug], stdout=self.stdout)

        failed = for_each(select_tenants(list(targets)), work, self.stdout.write)
        if failed:
            raise CommandError(f"{len(failed)} of {len(moves)} tenants failed: {', '.join(failed)}")
