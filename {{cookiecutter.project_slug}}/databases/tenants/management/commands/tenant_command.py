"""`manage.py tenant_command acme loaddata demo`: runs a command as one tenant, or as each tenant."""

from argparse import REMAINDER
from typing import Any

from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.tenants import use_tenant
from databases.tenants.commands import for_each, select_tenants
from databases.tenants.registry import Tenant


class Command(BaseCommand):
    help = "Run a management command as a tenant. If the command has an option --database, it gets the tenant's."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="run it for every tenant instead of one")
        parser.add_argument(
            "words", nargs=REMAINDER, metavar="[slug] command", help="the tenant, the command and its arguments"
        )

    def handle(self, *, words: list[str], **options: Any) -> None:
        slugs = [] if options["all"] else words[:1]
        command = words if options["all"] else words[1:]
        if not command:
            raise CommandError("Name a tenant (or --all) and a command, as in `tenant_command acme loaddata demo`.")
        takes_database = self.takes_database(command[0])
        tenants = select_tenants(slugs)
        if options["all"]:
            # Archived tenants have no database.
            tenants = [tenant for tenant in tenants if not tenant.state.is_closed]
        failed = for_each(tenants, lambda tenant: self.run_as(tenant, command, takes_database), self.stdout.write)
        if failed:
            raise CommandError(f"{len(failed)} of {len(tenants)} tenants failed: {', '.join(failed)}")

    def run_as(self, tenant: Tenant, words: list[str], takes_database: bool) -> None:
        """Run a command line under a tenant. Raises what the command raises."""
        database = {"database": tenant.alias} if takes_database else {}
        with use_tenant(tenant.slug):
            call_command(*words, **database, stdout=self.stdout)

    def takes_database(self, name: str) -> bool:
        """Return whether the command has an option `--database`. Raises `CommandError` for an unknown command."""
        app = get_commands().get(name)
        if app is None:
            raise CommandError(f"There is no command {name!r}: see `manage.py help`.")
        command = app if isinstance(app, BaseCommand) else load_command_class(app, name)
        return "database" in {action.dest for action in command.create_parser("manage.py", name)._actions}
