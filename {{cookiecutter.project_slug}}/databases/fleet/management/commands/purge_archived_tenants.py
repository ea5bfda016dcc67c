"""`manage.py purge_archived_tenants --older-than 30d`: drops databases that archives and moves have closed."""

import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.fleet.purge import closed_before, for_all, purge, refuse_last
from databases.migrating import one_line
from databases.tenants.commands import command_errors

#: By the last letter of an age, its name in `timedelta`.
UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Command(BaseCommand):
    help = (
        "Drop the databases that `archive_tenant` and `move_tenant` have closed, if they were closed long ago. An "
        "archived tenant's is kept unless its file is there and unchanged. Files of archives are never deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", help="tenants (default: all)")
        parser.add_argument("--older-than", required=True, metavar="AGE", help="such as 30d, 12h or 0d")
        parser.add_argument("--dry-run", action="store_true", help="only say which")

    def handle(self, *, slugs: list[str], older_than: str, **options: Any) -> None:
        with command_errors(", ".join(slugs) or "all"):
            closed = closed_before(age(older_than), slugs)
        work, done = (refuse_last, "would drop") if options["dry_run"] else (purge, "dropped")
        failed = []
        for artifact, error in for_all(closed, work):
            if error is None:
                self.stdout.write(f"{artifact.tenant}: {done} {artifact.database} on {artifact.server}")
            else:
                failed.append(str(artifact.tenant))
                self.stdout.write(f"{artifact.tenant}: kept {artifact.database}: {one_line(error)}")
        if failed:
            raise CommandError(f"{len(failed)} of {len(closed)} databases were kept: {', '.join(failed)}")


def age(text: str) -> timedelta:
    """Return a time from a text such as `30d`. Raises `ValueError` for any other text."""
    match = re.fullmatch(r"([0-9]{1,6})([dhm])", text)
    if match is None:
        raise ValueError(f"{text!r} is no age: write a number of days, hours or minutes, such as 30d, 12h or 90m.")
    return timedelta(**{UNITS[match[2]]: int(match[1])})
