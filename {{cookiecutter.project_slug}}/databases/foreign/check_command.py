"""The command that compares the copied models with the other application's database."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from databases.foreign import contract_check
from databases.foreign.drift import Finding, read_findings
from databases.foreign.source import Source


class Result(NamedTuple):
    """One database: how it differs, its tables if a contract is wanted, or why it cannot be read."""

    source: Source
    findings: list[Finding]
    tables: contract_check.Tables
    error: str = ""

    @property
    def errors(self) -> list[Finding]:
        """The differences that break reads."""
        return [each for each in self.findings if each.level == "error"]

    @property
    def summary(self) -> str:
        """How many models and differences there are."""
        others = len(self.findings) - len(self.errors)
        return f"Models: {self.models}. Errors: {len(self.errors)}. Other differences: {others}."

    @property
    def data(self) -> dict[str, Any]:
        """The same for JSON, with each difference."""
        return {"models": self.models, "findings": [each._asdict() for each in self.findings]}

    @property
    def models(self) -> int:
        """The number of models that were compared."""
        return len(self.source.copied_models())


class CheckCommand(BaseCommand):
    """Exits 0 if the models fit, 1 if one does not, 2 if a database cannot be read. A role's command says which."""

    # The command must run when models are broken.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON document and nothing else.")
        contract = "Write what the models read as JSON, and beside it the program that checks it in the owner's CI."
        parser.add_argument("--contract", type=Path, metavar="FILE", help=contract)

    def sources(self, options: dict[str, Any]) -> Iterable[Source]:
        """Return the databases to compare."""
        raise NotImplementedError

    def report(self, results: list[Result], as_json: bool) -> None:
        """Print the results."""
        raise NotImplementedError

    def handle(self, **options: Any) -> None:
        if not options["json"]:
            self.stderr.write("Comparing models with tables …", str)
        results = [self.check_source(each, bool(options["contract"])) for each in self.sources(options)]
        self.report(results, options["json"])
        if drifted := sorted({each.model for result in results for each in result.errors}):
            importer = results[0].source.importer
            raise CommandError(f"These models have drifted; run {importer}: {', '.join(drifted)}")
        if unread := [f"{each.source.name} {each.error}" for each in results if each.error]:
            raise CommandError(" ".join(unread), returncode=2)
        if options["contract"]:
            contract = contract_of(results)
            program = options["contract"].with_name("contract_check.py")
            options["contract"].write_text(contract + "\n", encoding="utf-8")
            program.write_text(Path(contract_check.__file__).read_text(encoding="utf-8"), encoding="utf-8")
            self.stderr.write(f"Give to the owner: {options['contract']} and {program}.")

    def check_source(self, source: Source, has_contract: bool) -> Result:
        """Compare the models with one database."""
        try:
            return Result(source, read_findings(source), read_all(source) if has_contract else {})
        except DatabaseError as error:
            # The class only: a message of the driver may contain addresses and users.
            return Result(source, [], {}, f"cannot be read ({type(error).__name__}): check its address and its server.")


def read_all(source: Source) -> contract_check.Tables:
    """Return all tables, columns and types of a database."""
    with source.connection.cursor() as cursor:
        return contract_check.read(cursor, source.connection.vendor)


def contract_of(results: list[Result]) -> str:
    """Return the part of the tables that the models read, as JSON.

    Raises `CommandError` for a model that it cannot describe, and unless all databases have the same types.
    """
    texts = set()
    for result in results:
        contract: contract_check.Tables = {}
        for model in sorted(result.source.copied_models(), key=lambda each: each._meta.db_table):
            table, columns = model._meta.db_table, [str(field.column) for field in model._meta.local_concrete_fields]
            there = result.tables.get(table, {})
            # Such as a table of the first schema whose db_table has the schema before it.
            if not {*columns} <= {*there}:
                raise CommandError(f"{model._meta.label}: write its db_table as the database shows it, not {table!r}.")
            contract[table] = contract.get(table, {}) | {name: there[name] for name in columns}
        texts.add(json.dumps(contract, indent=1))
    if len(texts) != 1:
        raise CommandError("A contract needs one database, or several whose columns have the same types: name them.")
    return texts.pop()
