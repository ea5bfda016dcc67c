"""`manage.py rotate_credentials acme`: see `databases.tenants.credentials`."""

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.tenants.credentials import rotate_all, store
from databases.tenants.errors import told_by_command


class Command(BaseCommand):
    help = (
        "Give tenants new passwords on their servers; nobody is refused in between. With --user, store the user and "
        "password that the owner of a database gave: the password is read from standard input. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="+", help="the tenants")
        parser.add_argument("--user", default="", help="the user to store, for one tenant")
        parser.add_argument(
            "--password-env",
            default="",
            metavar="NAME",
            help="with --user: name of the environment variable that every process finds the password in",
        )

    def handle(self, *, slugs: list[str], user: str, password_env: str, **options: Any) -> None:
        if user:
            self.store(slugs, user, password_env)
            return
        if password_env:
            raise CommandError("--password-env needs --user.")
        with told_by_command(", ".join(slugs)):
            failed = rotate_all(slugs, self.stdout.write)
        if failed:
            raise CommandError(f"{len(failed)} of {len(slugs)} tenants failed: {', '.join(failed)}")

    def store(self, slugs: list[str], user: str, variable: str) -> None:
        """Store a user and password. Raises `CommandError`."""
        if len(slugs) > 1:
            raise CommandError("--user is for one tenant at a time: no two share a user.")
        # Never from the command line, which every user of the machine can read.
        password = "" if variable else (getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n"))
        with told_by_command(slugs[0]):
            store(slugs[0], user, password, variable=variable)
        self.stdout.write(f"{slugs[0]}: stored")
