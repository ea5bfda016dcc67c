"""`manage.py import_mirror_models`: writes the other application's tables as abstract models, and classes for you."""

from typing import Any

from databases.foreign.import_command import ImportCommand
from databases.foreign.source import Source
from databases.mirror.source import SOURCE


class Command(ImportCommand):
    help = "Copy tables of the mirror as models, or bring all copies up to date."

    def source(self, options: dict[str, Any]) -> Source:
        return SOURCE
