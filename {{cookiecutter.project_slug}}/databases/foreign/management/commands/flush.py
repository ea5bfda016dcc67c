"""Django's `flush`, refused on databases that belong to someone else."""

from typing import Any

from django.core.management.commands import flush

from databases.foreign.command_guards import refuse


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        refuse(options["database"], "flush")
        super().handle(**options)
