"""`manage.py rotate_credentials acme --user NAME`: stores credentials that the owner of the database gave."""

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from databases.tenants.errors import command_errors
from databases.tenants.external.credentials import store


class Command(BaseCommand):
    help = (
        "Store the user and password that the owner of a tenant's database gave, after a connection with them "
        "succeeded. The password is read from standard input. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant")
        parser.add_argument("--user", required=True, help="the user to store")
        parser.add_argument(
            "--password-env",
            default="",
            metavar="NAME",
            help="name of the environment variable that holds the password in every process",
        )

    def handle(self, *, slug: str, user: str, password_env: str, **options: Any) -> None:
        # Not an argument: every user of the machine can read command lines.
        read = getpass.getpass if sys.stdin.isatty() else lambda: sys.stdin.readline().rstrip("\n")
        password = "" if password_env else read()
        with command_errors(slug):
            store(slug, user, password, variable=password_env)
        self.stdout.write(f"{slug}: stored")
