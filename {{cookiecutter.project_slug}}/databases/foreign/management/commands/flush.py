"""Django's `flush`, refused on databases that belong to someone else."""

from typing import Any

from django.core.management.commands import flush
from django.db import connections

from databases.foreign.command_guards import refuse
from databases.registry import is_foreign, models_of, role_of_alias


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        alias = options["database"]
        refuse(alias, "flush")
        if is_foreign(alias):
            # Django's own SQL leaves out tables of other schemas, and fails on the tables that these refer to.
            tables = {model._meta.db_table for model in models_of(role_of_alias(alias))}
            if elsewhere := sorted(table for table in tables if '"."' in table):
                with connections[alias].cursor() as cursor:
                    cursor.execute(f"TRUNCATE {', '.join(elsewhere)} CASCADE")
                options["allow_cascade"] = True
        super().handle(**options)
