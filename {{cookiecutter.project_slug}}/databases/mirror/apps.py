"""The mirror: another application's database, guarded from the first connection."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.backends.utils import split_identifier
from django.db.models.signals import pre_migrate


class MirrorConfig(AppConfig):
    name = "databases.mirror"

    def ready(self) -> None:
        from databases.mirror import checks, privileges, session

        session.install()
        checks.install()
        privileges.install()
        pre_migrate.connect(create_schemas, dispatch_uid="databases.mirror.create_schemas")


def create_schemas(using: str, **kwargs: Any) -> None:
    """Create in a test database of PostgreSQL the schemas that `db_table` of mirrored models names."""
    from databases.foreign.mode import is_test_database
    from databases.mirror.drift import copied_models
    from databases.mirror.router import MIRROR

    if using == MIRROR and is_test_database(using) and connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            for schema in {split_identifier(model._meta.db_table)[0] for model in copied_models()} - {""}:
                cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {connections[using].ops.quote_name(schema)}")
