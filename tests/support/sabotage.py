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
#: Projects that between them hold every line of the template, small ones first. Only PostgreSQL has a fleet.
ROLES = [
    ("none", "no", "none", "5.2"),
    ("read-only-mirror", "no", "none", "6.1"),
    ("writable", "yes", "managed", "5.2"),
    ("read-only-mirror", "yes", "external", "6.1"),
    ("none", "no", "fleet", "6.1"),
]


def owners(engine: str) -> list[Variant]:
    """Return the variants in which rows of an engine are tried."""
    return [
        variant
        for secondary, replicas, tenants, django in ROLES
        for variant in variants.select(
            primary_database=engine,
            secondary_database=secondary,
            read_replicas=replicas,
            tenant_databases=tenants,
            django_version=variants.DJANGO or django,
        )
    ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sabotage:
    """One row: what it breaks in words, the change, and the tests that must fail.

    Instead of tests (`red`), a row may name the text with which a project refuses to start (`stops`). If the change
    breaks nothing without a certain answer, the row names that answer's variable in `cookiecutter.json` (`needs`).
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
        """Raise ValueError for a row that could not fail, or that does not say how."""
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
        return owners(self.engine)

    def tests_in(self, project: Bake) -> set[str]:
        """Return those of its tests whose files a project has."""
        return {test for test in self.red if (project.path / test.partition("::")[0]).exists()}

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
    """Return the rows of a file. Raises ValueError, which names the file, for an invalid row."""
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
