"""The catalogue of sabotages: small changes to a project, each of which its own tests must notice.

The rows lie in `tests/sabotage/`, a TOML file for each promise; `README.md` there says what a row holds.
"""

import dataclasses
import tomllib
from pathlib import Path

from tests.support import variants
from tests.support.bakes import Bake
from tests.support.template import COOKIECUTTER_JSON
from tests.support.variants import Variant

CATALOGUE = Path(__file__).resolve().parents[1] / "sabotage"
#: Projects that between them hold every line of the template, small ones first.
ROLES = [
    ("none", "none", "5.2"),
    ("read-only-mirror", "none", "6.1"),
    ("read-replica", "managed", "5.2"),
    ("mirror-and-replica", "external", "6.1"),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sabotage:
    """One row: what it breaks in words, the change, and the tests of which those that a project has must fail.

    Instead of tests (`red`), a row may name what a project says that refuses to start (`stops`). A change that breaks
    nothing without a certain answer names that answer's variable in `cookiecutter.json` (`needs`).
    """

    name: str
    file: str
    old: str
    new: str
    red: list[str] = dataclasses.field(default_factory=list)
    stops: str = ""
    needs: str = ""
    engine: str = "sqlite"

    def __post_init__(self) -> None:
        """Raise ValueError for a row that could not fail, or that says nothing of how."""
        if not self.old or self.old == self.new:
            raise ValueError(f"The sabotage {self.name!r} changes nothing: give `old` and a different `new`.")
        if bool(self.red) == bool(self.stops):
            raise ValueError(f"The sabotage {self.name!r} must have either `red` or `stops`.")
        for test in self.red:
            if test.count("::") != 2:
                raise ValueError(f"The sabotage {self.name!r} must name a test as file::class::test, not {test!r}.")
        if self.needs and self.needs not in COOKIECUTTER_JSON:
            raise ValueError(f"The sabotage {self.name!r} needs {self.needs!r}, which cookiecutter.json does not have.")

    def owners(self) -> list[Variant]:
        """Return the variants to look for its text in."""
        return [
            variant
            for secondary, tenants, django in ROLES
            for variant in variants.select(
                primary_database=self.engine,
                secondary_database=secondary,
                tenant_databases=tenants,
                django_version=variants.DJANGO or django,
            )
        ]

    def tests_in(self, project: Bake) -> list[str]:
        """Return those of its tests that a project has the file of."""
        return [test for test in self.red if (project.path / test.partition("::")[0]).exists()]

    def fits(self, project: Bake) -> bool:
        """Return whether it can break a project. Raises LookupError where its old text stands there more than once."""
        if self.needs and not project.answers[self.needs]:
            return False
        found = project.read(self.file).count(self.old) if (project.path / self.file).exists() else 0
        if found > 1:
            raise LookupError(f"The old text of the sabotage {self.name!r} stands {found} times in {self.file}.")
        return found == 1

    def apply(self, project: Bake) -> None:
        """Change the project. Raises LookupError where the old text is gone."""
        if not self.fits(project):
            raise LookupError(f"The old text of the sabotage {self.name!r} is not in {self.file} any more.")
        project.write(self.file, project.read(self.file).replace(self.old, self.new))


def read(file: Path) -> list[Sabotage]:
    """Return the rows of a file. Raises ValueError, naming the file, for one that is not as it must be."""
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    rows = content.pop("sabotage", [])
    if content or not rows:
        raise ValueError(f"{file.name} must hold [[sabotage]] tables and nothing else.")
    try:
        return [Sabotage(**row) for row in rows]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file.name}: {error}") from error


def catalogue() -> dict[str, list[Sabotage]]:
    """Return all rows by promise. Raises ValueError for two of one name."""
    found = {file.stem: read(file) for file in sorted(CATALOGUE.glob("*.toml"))}
    names = [sabotage.name for rows in found.values() for sabotage in rows]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"Several sabotages have the names {sorted(repeated)}.")
    return found
