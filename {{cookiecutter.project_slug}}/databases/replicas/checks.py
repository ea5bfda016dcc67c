"""System checks of the replicas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks

from databases.registry import PRIMARY, roles_of_model
from databases.replicas import watch
from databases.replicas.health import status_of
from databases.replicas.router import is_read_from_primary


def install() -> None:
    """Register the checks of this module."""
    checks.register(check_names, checks.Tags.models)
    checks.register(check_joins, checks.Tags.models)
    checks.register(check_servers, checks.Tags.database)


def check_names(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Return an error for each wrong name in `READ_FROM_PRIMARY`: its rows would be read from replicas."""
    return [
        checks.Error(
            f"READ_FROM_PRIMARY names {name!r}, which is neither an installed app nor a model (app.Model).",
            hint="Correct the name in READ_FROM_PRIMARY (databases.py).",
            id="databases.E019",
        )
        for name in settings.READ_FROM_PRIMARY
        if name.lower() not in {each.label.lower() for each in apps.get_app_configs()}
        and name.lower() not in {model._meta.label_lower for model in apps.get_models()}
    ]


def check_joins(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of foreign keys by which a query joins, on a replica, rows that are to be read from the primary."""
    found = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if PRIMARY in roles_of_model(model) and not is_read_from_primary(model)
        for field in model._meta.local_fields
        # A content type is only a name. It gives a user no rights.
        if field.related_model and is_read_from_primary(field.related_model)
        if field.related_model._meta.app_label != "contenttypes"
    ]
    if not found:
        return []
    return [
        checks.Warning(
            f"{', '.join(found)}: a join by this key reads the row of the user or permission from a replica, which may "
            "lag.",
            hint="Let no such join decide what a user may do. Then add databases.W005 to SILENCED_SYSTEM_CHECKS, or "
            "put the model into READ_FROM_PRIMARY (databases.py).",
            id="databases.W005",
        )
    ]


def check_servers(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Warn of replicas that are not used, and of replicas that cannot be verified. This asks the servers."""
    found: list[checks.CheckMessage] = []
    for alias in filter(watch.is_replica, databases or []):
        status = status_of(alias)
        if "problem" in status:
            said = f"{alias} {status['problem']}, so nothing is read from it."
            hint = "Repair the server, or correct its URL in REPLICA_DATABASE_URLS."
            found.append(checks.Warning(said, hint=hint, id="databases.W006"))
        if "unverified" in status:
            functions = "pg_control_system(), pg_control_recovery()"
            found.append(
                checks.Warning(
                    f"{alias}: its user may not ask for the {status['unverified']} of the server, so a replica of "
                    "another primary is recognized by its position alone.",
                    hint=f"On the primary: GRANT EXECUTE ON FUNCTION {functions} TO the user of the project.",
                    id="databases.W007",
                )
            )
    return found
