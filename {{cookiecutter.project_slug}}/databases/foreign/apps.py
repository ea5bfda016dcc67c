"""Foreign databases: test mode is decided at start, and commands that would change them are refused."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.backends.utils import split_identifier
from django.db.models.signals import pre_migrate, pre_save

from databases.foreign.mode import is_test_database
from databases.registry import is_foreign, models_of, role_of_alias


class ForeignConfig(AppConfig):
    name = "databases.foreign"

    def ready(self) -> None:
        from databases import own
        from databases.foreign import command_guards, mode

        # First: the configured names must be recorded before any test machinery replaces them.
        mode.remember_configured_names()
        command_guards.install()
        pre_migrate.connect(create_schemas, dispatch_uid="databases.foreign.create_schemas")
        # Not `pre_delete`: with a receiver of it, Django reads all rows before it deletes them.
        pre_save.connect(own.refuse_foreign_instance, dispatch_uid="databases.foreign")


def create_schemas(using: str, **kwargs: Any) -> None:
    """Create in a test database of PostgreSQL the schemas that `db_table` of copied models names."""
    if is_foreign(using) and is_test_database(using) and connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            for schema in {split_identifier(model._meta.db_table)[0] for model in models_of(role_of_alias(using))}:
                if schema:
                    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {connections[using].ops.quote_name(schema)}")
