"""The mirror: another application's database, guarded from the first connection."""

from django.apps import AppConfig


class MirrorConfig(AppConfig):
    name = "databases.mirror"

    def ready(self) -> None:
        from databases.mirror import checks, privileges, session

        session.install()
        checks.install()
        privileges.install()
