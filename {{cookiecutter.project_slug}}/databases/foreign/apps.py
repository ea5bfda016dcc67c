"""Foreign databases: test mode is decided at start, and commands that would change them are refused."""

from django.apps import AppConfig


class ForeignConfig(AppConfig):
    name = "databases.foreign"

    def ready(self) -> None:
        from databases.foreign import command_guards, mode

        # First: the configured names must be recorded before any test machinery replaces them.
        mode.remember_configured_names()
        command_guards.install()
