"""`manage.py check_mirror`: compares the copied models with the other application's database."""

import json
from typing import Any

from databases.foreign.check_command import CheckCommand, Result
from databases.foreign.source import Source
from databases.mirror.source import SOURCE


class Command(CheckCommand):
    help = (
        "Compare the copied models with the mirror's tables. Exits 0 if the models fit, 1 if one does not, 2 if the "
        "mirror cannot be read."
    )

    def sources(self, options: dict[str, Any]) -> list[Source]:
        return [SOURCE]

    def report(self, results: list[Result], as_json: bool) -> None:
        (result,) = results
        if as_json and not result.error:
            self.stdout.write(json.dumps(result.data, indent=2))
        elif not result.error:
            for each in result.findings:
                style = self.style.ERROR if each.level == "error" else self.style.NOTICE
                self.stdout.write(style(f"{each.level}: {each.model}: {each.message}"))
            self.stdout.write(result.summary)
