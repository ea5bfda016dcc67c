"""`manage.py check_mirror`: compares the copied models with the other application's database."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from databases.mirror import contract_check
from databases.mirror.drift import Finding, copied_models, read_findings
from databases.mirror.router import MIRROR


class Command(BaseCommand):
    help = (
        "Compare the copied models with the mirror's tables. Exits 0 if the models fit, 1 if one does not, 2 if the "
        "mirror cannot be read."
    )
    # The command must run when models are broken.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON document and nothing else.")
        contract = "Write what the models read as JSON, and beside it the program that checks it in the owner's CI."
        parser.add_argument("--contract", type=Path, metavar="FILE", help=contract)

    def handle(self, **options: Any) -> None:
        try:
            found = read_findings()
            there = read_all() if options["contract"] else {}
        except DatabaseError as error:
            # The class only: a message of the driver may contain addresses and users.
            raise CommandError(f"The mirror cannot be read ({type(error).__name__}).", returncode=2) from None
        self.report(found, options["json"])
        if drifted := sorted({each.model for each in found if each.level == "error"}):
            raise CommandError(f"These models have drifted; run import_mirror_models: {', '.join(drifted)}")
        if options["contract"]:
            contract = contract_of(there)
            program = options["contract"].with_name("contract_check.py")
            options["contract"].write_text(json.dumps(contract, indent=1) + "\n", encoding="utf-8")
            program.write_text(Path(contract_check.__file__).read_text(encoding="utf-8"), encoding="utf-8")
            self.stderr.write(f"Give to the owner: {options['contract']} and {program}.")

    def report(self, found: list[Finding], as_json: bool) -> None:
        """Print the findings."""
        models = len(copied_models())
        if as_json:
            data = {"models": models, "findings": [each._asdict() for each in found]}
            self.stdout.write(json.dumps(data, indent=2))
            return
        for each in found:
            style = self.style.ERROR if each.level == "error" else self.style.NOTICE
            self.stdout.write(style(f"{each.level}: {each.model}: {each.message}"))
        errors = sum(each.level == "error" for each in found)
        self.stdout.write(f"Models: {models}. Errors: {errors}. Other differences: {len(found) - errors}.")


def read_all() -> contract_check.Tables:
    """Return all tables, columns and types of the mirror."""
    with connections[MIRROR].cursor() as cursor:
        return contract_check.read(cursor, connections[MIRROR].vendor)


def contract_of(there: contract_check.Tables) -> contract_check.Tables:
    """Return the part of the tables that the models read. Raises `CommandError` for a model that it cannot describe."""
    contract: contract_check.Tables = {}
    for model in sorted(copied_models(), key=lambda each: each._meta.db_table):
        table, columns = model._meta.db_table, [str(field.column) for field in model._meta.local_concrete_fields]
        # Such as a table of the first schema whose db_table has the schema before it.
        if not {*columns} <= {*there.get(table, ())}:
            raise CommandError(f"{model._meta.label}: write its db_table as the database shows it, not {table!r}.")
        contract[table] = contract.get(table, {}) | {name: there[table][name] for name in columns}
    return contract
