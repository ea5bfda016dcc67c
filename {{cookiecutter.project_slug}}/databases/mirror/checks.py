"""The comparison of models and mirror as a system check, for deploys: `check --deploy --database mirror`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks

from .drift import read_findings
from .router import MIRROR
from .upstream import UpstreamError


def install() -> None:
    """Register the check. By this tag it runs only where `--database` or the tag itself asks for it."""
    checks.register(check_drift, checks.Tags.database, deploy=True)


def check_drift(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Return what `manage.py check_mirror` finds."""
    if MIRROR not in (databases or ()):
        return []
    try:
        findings = read_findings()
    except UpstreamError as error:
        return [checks.Warning(str(error), hint="Whether the models fit it is not known.", id="databases.W002")]
    return [
        checks.Error(f"{each.model}: {each}.", hint="Run import_mirror_models.", id="databases.E007")
        if each.is_error
        else checks.Info(f"{each.model}: {each}.", id="databases.I001")
        for each in findings
    ]
