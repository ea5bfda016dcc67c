"""Foreign databases: test mode is decided at start, and commands that would change them are refused."""

from django.apps import AppConfig
from django.db.models.signals import pre_save


class ForeignConfig(AppConfig):
    name = "databases.foreign"

    def ready(self) -> None:
        from databases import own
        from databases.foreign import command_guards, mode

        # First: the configured names must be recorded before any test machinery replaces them.
        mode.remember_configured_names()
        command_guards.install()
        # Not `pre_delete`: with a receiver of it, Django reads all rows before it deletes them.
        pre_save.connect(own.refuse_foreign_instance, dispatch_uid="databases.foreign")
