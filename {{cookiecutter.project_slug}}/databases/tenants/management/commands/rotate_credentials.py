"""`manage.py rotate_credentials acme --user NAME`: stores credentials that the owner of the database gave."""

from typing import Any

from django.core.management.base import CommandParser

from databases.tenants.commands import TenantCommand
from databases.tenants.external.credentials import read_password, store


class Command(TenantCommand):
    help = (
        "Store the user and password that the owner of a tenant's database gave, after a connection with them "
        "succeeded. The password is read from standard input. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--user", required=True, help="the user to store")
        parser.add_argument(
            "--password-env",
            default="",
            metavar="NAME",
            help="name of the environment variable that holds the password in every process",
        )

    def run(self, slug: str, *, user: str, password_env: str, **options: Any) -> str:
        store(slug, user, "" if password_env else read_password(), variable=password_env)
        return "stored"
