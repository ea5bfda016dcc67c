"""The cases, read without importing them, and the table in `docs/reference/compatibility.md` that they make.

A case is a file in `cases/`. It holds these constants, as literals, and a test class for each role with a verdict:

- `PACKAGES`: what to install, the package itself first;
- `DJANGO`: the version of Django, if the package does not support the newest one yet;
- `SETTINGS`: lines for the end of `config/settings.py`;
- `FILES`: by path, lines for the end of other files of the project;
- `urlpatterns`, if its tests ask for pages;
- `IN_SECONDARY`: labels of its apps. The class `Secondary` runs after these have moved to the secondary database;
- `VERDICTS`: for `primary`, `secondary`, `mirror`, `replicas` and `tenants` the words of the table. They are
  `works`, `works: …`, `works with …` or `does not: …`, and `—` where the package has nothing to do with the role.

The class of a role has its name with a capital letter, such as `Primary`. It shows that the verdict is true.
"""

import ast
import dataclasses
import re
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"
DOCUMENT = Path(__file__).parents[1] / "docs" / "reference" / "compatibility.md"
PLACE = re.compile(r"(?<=<!-- compatibility -->\n).*?(?=<!-- /compatibility -->)", re.DOTALL)
ROLES = ("primary", "secondary", "mirror", "replicas", "tenants")
NEWEST = "6.1"
NOTHING = "—"
#: By package, the version that was tried.
Versions = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Case:
    """What a file says. Attributes: its constants in lower case, whether it has URLs, and its classes for roles."""

    name: str
    classes: list[str]
    has_urls: bool
    packages: list[str]
    verdicts: dict[str, str]
    django: str = NEWEST
    settings: str = ""
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    in_secondary: list[str] = dataclasses.field(default_factory=list)

    @property
    def package(self) -> str:
        """The name on PyPI, without extras."""
        return self.packages[0].partition("[")[0]

    def problems(self) -> list[str]:
        """Return a sentence for each verdict that is missing, unclear, or without a test."""
        found = [] if tuple(self.verdicts) == ROLES else [f"its verdicts are not on {', '.join(ROLES)}"]
        for role, words in self.verdicts.items():
            if words != NOTHING and not re.fullmatch(r"works((:| with) .+)?|does not: .+", words):
                found.append(
                    f"the verdict on {role} is none of `works`, `works: …`, `works with …`, `does not: …` and `—`"
                )
            if "|" in words:
                found.append(f"the verdict on {role} would break the table")
            if (role.capitalize() in self.classes) != (words != NOTHING):
                found.append(f"the verdict on {role} and the class {role.capitalize()} do not fit")
        return [f"{self.name}.py: {each}." for each in found]


def cases() -> list[Case]:
    """Return all cases, by name."""
    return [_read(path) for path in sorted(CASES.glob("[!_]*.py"))]


def _read(path: Path) -> Case:
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    classes = [each.name for each in statements if isinstance(each, ast.ClassDef) and each.name.lower() in ROLES]
    named = {
        each.targets[0].id: each.value
        for each in statements
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
    }
    fields = {each.name.upper(): each.name for each in dataclasses.fields(Case)}
    found: dict[str, Any] = {fields[name]: ast.literal_eval(named[name]) for name in named if name in fields}
    return Case(name=path.stem, classes=classes, has_urls="urlpatterns" in named, **found)


def table(found: list[Case], versions: Versions) -> str:
    """Return the table in Markdown."""
    lines = [f"| package | Django | {' | '.join(ROLES)} |", f"|---|---|{'---|' * len(ROLES)}"]
    for case in sorted(found, key=lambda each: each.package.lower()):
        package = f"{case.package} {versions.get(case.package, 'untried')}"
        lines.append(f"| {package} | {case.django} | {' | '.join(case.verdicts[role] for role in ROLES)} |")
    return "\n".join(lines) + "\n"


def versions_in(document: str) -> Versions:
    """Return the versions in the table of a document."""
    return dict(re.findall(r"^\| ([\w.-]+) (\d\S*) \|", document, re.MULTILINE))


def put_into(document: str, found: list[Case], versions: Versions) -> str:
    """Return a document with the table in its place."""
    return PLACE.sub(lambda _: f"\n{table(found, versions)}\n", document)
