"""Django's `dbshell`, with a read-only session on the mirror."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import dbshell
from django.db import connections

from databases.foreign.mode import is_test_database
from databases.mirror.router import MIRROR
from databases.read_only import READ_ONLY

#: By engine, what makes its client's session read-only. psql has no option for it, but a variable. Sources: manual of
#: `mysql`; command line of `sqlite3`; PostgreSQL manual, 34.15.
OPTIONS = {"mysql": [f"--init-command={READ_ONLY['mysql']}"], "sqlite": ["-readonly"], "postgresql": []}
PGOPTIONS = "-c default_transaction_read_only=on"


class Command(dbshell.Command):
    def handle(self, **options: Any) -> None:
        """Open the shell. Raises `CommandError` for an engine whose sessions cannot be made read-only."""
        if options["database"] != MIRROR or is_test_database(MIRROR):
            return super().handle(**options)
        vendor, before = connections[MIRROR].vendor, os.environ.get("PGOPTIONS", "")
        if vendor not in OPTIONS:
            raise CommandError(
                f"No dbshell on {MIRROR!r}: sessions on {vendor} cannot be made read-only. Start the engine's "
                "client yourself, as a user that may only read."
            )
        # Ours come last, because the last one counts.
        options["parameters"] = [*options["parameters"], *OPTIONS[vendor]]
        os.environ["PGOPTIONS"] = f"{before} {PGOPTIONS}"
        try:
            super().handle(**options)
        finally:
            # Otherwise later connections of this process to other databases would be read-only.
            os.environ["PGOPTIONS"] = before
