"""The picture of the databases as SVG: which there are, how they are, and who reads and writes them.

The `AppConfig` of a role can change it by a method `add_to_picture(boxes)`: it adds boxes, or changes the existing
ones. At first there is one for each database in `DATABASES`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.apps import apps
from django.template.loader import render_to_string

from databases.report import Report

# Of the drawing, in its own units.
LINE, PADDING, GAP = 18, 12, 20


@dataclass
class Box:
    """A database, or a server with many, and what leads there."""

    name: str
    role: str
    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    #: What the project does there.
    access: str = "reads and writes"
    #: Whether this project never writes there.
    is_locked: bool = False
    #: Who else writes there.
    writer: str = ""
    #: The name of the database whose changes arrive here.
    copy_of: str = ""
    top: int = 0

    @property
    def lines(self) -> list[str]:
        """What stands below the name."""
        return [*self.facts, *("unhealthy" for _ in self.problems[:1])]

    @property
    def height(self) -> int:
        """The height of the box."""
        return 2 * PADDING + LINE * (1 + len(self.lines))

    @property
    def middle(self) -> int:
        """Where arrows meet the box."""
        return self.top + self.height // 2

    @property
    def baselines(self) -> list[tuple[int, str]]:
        """Each line with its place."""
        return [(self.top + PADDING + LINE * number, line) for number, line in enumerate(self.lines, 2)]

    def __str__(self) -> str:
        said = [f"{self.name}, {self.role}: the project {self.access} it"]
        said += [f"{self.writer} writes it"] if self.writer else []
        said += [f"a copy of {self.copy_of}"] if self.copy_of else []
        return "; ".join([*said, *self.facts, *self.problems]) + "."


def boxes_of(reports: Iterable[Report]) -> list[Box]:
    """Return the boxes of a picture, from top to bottom."""
    boxes = []
    for report in reports:
        latency = "" if report.latency is None else f", {report.latency:.1f} ms"
        boxes.append(Box(report.alias, report.role, [f"{report.engine}{latency}", *report.facts], report.problems))
    for config in apps.get_app_configs():
        if hasattr(config, "add_to_picture"):
            config.add_to_picture(boxes)
    copies = [box for box in boxes if box.copy_of]
    # Below what they copy.
    return [each for box in boxes if not box.copy_of for each in (box, *(x for x in copies if x.copy_of == box.name))]


def draw(boxes: list[Box], style: str = "") -> str:
    """Return the picture as SVG. Argument `style`: CSS for a picture that stands alone."""
    height = GAP
    for box in boxes:
        box.top = height
        height += box.height + GAP
    tops = {box.name: box.middle for box in boxes}
    copies = [(tops[box.copy_of], box.middle) for box in boxes if box.copy_of]
    context = {"boxes": boxes, "copies": copies, "height": height, "style": style}
    return render_to_string("databases/picture.svg", context)
