"""`manage.py check_mirror`: compares the mirrored models with the other application's database."""

import json
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from databases.mirror.drift import Finding, copied_models, read_findings
from databases.mirror.introspection import UpstreamError


class Command(BaseCommand):
    help = (
        "Compare the mirrored models with the mirror's tables. Exits 0 if the models fit, 1 if a model has drifted, 2 "
        "if the mirror cannot be read."
    )
    # The command must run when models are broken.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON document and nothing else.")

    def handle(self, **options: Any) -> None:
        models = len(copied_models())
        try:
            findings = read_findings()
        except UpstreamError as error:
            raise CommandError(str(error), returncode=2) from None
        errors = [finding for finding in findings if finding.is_error]
        summary = f"Models: {models}. Errors: {len(errors)}. Other differences: {len(findings) - len(errors)}."
        if options["json"]:
            self.stdout.write(
                json.dumps({"models": models, "findings": [as_data(each) for each in findings]}, indent=2)
            )
        else:
            self.write(findings)
            self.stdout.write(summary)
        if errors:
            drifted = sorted({finding.model for finding in errors})
            raise CommandError(f"These models have drifted; run import_mirror_models: {', '.join(drifted)}")

    def write(self, findings: list[Finding]) -> None:
        """Write a headline for each model and a line for each of its findings."""
        for (model, table), group in groupby(findings, key=lambda each: (each.model, each.table)):
            self.stdout.write(self.style.MIGRATE_HEADING(f"{model} ({table})"))
            for each in group:
                style = self.style.ERROR if each.is_error else self.style.NOTICE
                self.stdout.write(style(f"  {'ERROR' if each.is_error else 'info'}: {each}"))


def as_data(finding: Finding) -> dict[str, str]:
    """Return a finding for JSON."""
    level = "error" if finding.is_error else "information"
    return {"level": level, **vars(finding), "message": str(finding)}
