"""Django's `loaddata`, refused on databases that belong to someone else.

Django's own would say "Installed 0 object(s)" and succeed: it skips, silently, what the routers do not migrate.
"""

from typing import Any

from django.core.management.commands import loaddata

from databases.refusal import refuse


class Command(loaddata.Command):
    def handle(self, *fixture_labels: str, **options: Any) -> None:
        refuse(options["database"], "loaddata")
        super().handle(*fixture_labels, **options)
