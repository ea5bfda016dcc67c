"""The comparison of models and mirror as a system check for deploys: `check --deploy --database mirror`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import DatabaseError

from databases.foreign.drift import read_findings
from databases.mirror.router import MIRROR
from databases.mirror.source import SOURCE

HARMLESS = "Reads are right. To copy the change, run import_mirror_models."


def install() -> None:
    """Register the check. With this tag, it runs only if `--database` or the tag itself selects it."""
    checks.register(check_drift, checks.Tags.database, deploy=True)


def check_drift(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Return the findings of `manage.py check_mirror`."""
    if MIRROR not in (databases or ()):
        return []
    try:
        findings = read_findings(SOURCE)
    except DatabaseError as error:
        hint = "Check MIRROR_DATABASE_URL and the server: the models could not be compared."
        return [checks.Warning(f"The mirror cannot be read ({type(error).__name__}).", hint=hint, id="databases.W002")]
    return [
        checks.Error(f"{each.model}: {each.message}.", hint="Run import_mirror_models.", id="databases.E007")
        if each.level == "error"
        else checks.Info(f"{each.model}: {each.message}.", hint=HARMLESS, id="databases.I001")
        for each in findings
    ]
