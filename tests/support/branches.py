"""The conditions of the template, and whether each was true or false while its source was rendered.

Conditions are `{% if %}`, `# % if`, `… if … else …`, and each side of an `and` or an `or`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from cookiecutter.utils import create_env_with_context
from jinja2 import Template, nodes


@dataclasses.dataclass(frozen=True, order=True)
class Condition:
    """A place in the template; `number` tells apart the conditions of one source."""

    file: str
    line: int
    number: int


class Branches:
    """The values that every condition of the rendered sources has had so far."""

    def __init__(self) -> None:
        self.seen: dict[Condition, set[bool]] = {}
        self._templates: dict[tuple[str, str], Template] = {}

    def render(self, source: str, answers: Mapping[str, Any], *, file: str, line: int = 1, named: bool = True) -> str:
        """Render a source as cookiecutter does, and note the values of its conditions.

        Arguments: the answers, private ones included; the file and the line in which the source begins; whether
        cookiecutter loads it as a file, by its name, or renders a mere text.
        """
        context = {"cookiecutter": dict(answers)}
        if (file, source) not in self._templates:
            self._templates[file, source] = self._compile(source, context, file, line, named)
        return self._templates[file, source].render(**context)

    def _compile(self, source: str, context: dict[str, Any], file: str, line: int, named: bool) -> Template:
        environment = create_env_with_context(context)
        environment.filters["noted"] = self._note
        tree = environment.parse(source, name=file if named else None)
        found = list(tree.find_all((nodes.If, nodes.CondExpr, nodes.And, nodes.Or)))
        for number, node in enumerate(found):
            for side in ("left", "right") if isinstance(node, nodes.BinExpr) else ("test",):
                condition: nodes.Expr = getattr(node, side)
                place = Condition(file, line + condition.lineno - 1, 2 * number + (side == "right"))
                self.seen.setdefault(place, set())
                arguments = [nodes.Const(part) for part in dataclasses.astuple(place)]
                noted = nodes.Filter(condition, "noted", arguments, [], None, None, lineno=condition.lineno)
                setattr(node, side, noted)
        tree.set_environment(environment)
        code = environment.compile(tree, name=file)
        return Template.from_code(environment, code, environment.make_globals(None))

    def one_sided(self) -> list[str]:
        """Return, with file and line, the conditions that were never true or never false."""
        wanting = {
            frozenset[bool](): "never evaluated",
            frozenset([True]): "never false",
            frozenset([False]): "never true",
        }
        found = [(place, wanting.get(frozenset(truths))) for place, truths in self.seen.items()]
        return [f"{place.file}:{place.line} is {what}" for place, what in sorted(found) if what]

    def _note(self, value: object, file: str, line: int, number: int) -> object:
        self.seen[Condition(file, line, number)].add(bool(value))
        return value
