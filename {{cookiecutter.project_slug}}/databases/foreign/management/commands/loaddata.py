"""Django's `loaddata`, refused on databases that belong to someone else.

Django's own command would print "Installed 0 object(s)" and succeed: it skips models that no router migrates there.
"""

from typing import Any

from django.core.management.commands import loaddata

from databases.foreign.command_guards import refuse


class Command(loaddata.Command):
    def handle(self, *fixture_labels: str, **options: Any) -> None:
        refuse(options["database"], "loaddata")
        super().handle(*fixture_labels, **options)
