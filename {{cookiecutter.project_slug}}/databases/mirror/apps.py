"""The mirror: another application's database, guarded from the first connection."""

from django.apps import AppConfig

from databases.picture import Box


class MirrorConfig(AppConfig):
    name = "databases.mirror"

    def ready(self) -> None:
        from databases.mirror import checks, privileges, session

        session.install()
        checks.install()
        privileges.install()

    def add_to_picture(self, boxes: list[Box]) -> None:
        """Show that the mirror is only read."""
        for box in boxes:
            if box.role == "mirror":
                box.access, box.is_locked, box.writer = "reads", True, "another application"
