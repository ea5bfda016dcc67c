"""`manage.py archive_tenant acme --to /srv/archives`: into a file, which is verified before the database is closed."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from databases.fleet.archive import archive
from databases.fleet.operations import cancel
from databases.fleet.states import FleetStatus
from databases.tenants.commands import TenantCommand


class Command(TenantCommand):
    doing = "archiving, its pages answer 503"
    help = (
        "Write a tenant's database into a file, load the file into a scratch database, and close the tenant's database "
        "if both hold the same. Safe to run again. It is kept until `purge_archived_tenants`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--to", type=Path, help="the folder for the file")
        what.add_argument(
            "--cancel", action="store_true", help="cancel an interrupted run; the tenant is then suspended"
        )
        parser.add_argument(
            "--wait", type=float, default=10, help="seconds that open transactions may take to end (10)"
        )

    def run(self, slug: str, *, to: Path | None, wait: float, **options: Any) -> str:
        if to is None:
            return f"{cancel(slug, FleetStatus.ARCHIVING).status}; open its pages with `resume_tenant`"
        archived = archive(slug, to, timeout=wait)
        return f"archived in {archived.path}, SHA-256 {archived.sha256}"
