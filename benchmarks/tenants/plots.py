"""Draws results as small SVG files, which a browser can show."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from benchmarks.tenants import targets
from benchmarks.tenants.results import Result, number

WIDTH = 860
OURS, THEIRS, MARK = "#1f6f5c", "#b9bec4", "#b3261e"
LINES = {
    "this template": OURS,
    "django-tenants": "#6b5b95",
    "django-tenants-router": "#d08c28",
    "static aliases": "#5a6670",
}
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
 font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="10" y="22" font-size="16">{title}</text>
"""


class Bar(NamedTuple):
    """A bar: its name, its length, its colour, and the position of a mark on it."""

    name: str
    value: float
    colour: str
    mark: float = 0


def draw(results: dict[str, list[Result]], folder: Path) -> None:
    """Draw the results into files in a folder."""
    judged = [Bar(each.name, each.ratio, OURS, each.at_least) for each in targets.outcomes(results)]
    title = "How many times as fast as the best of the others (log scale from a half; red: the target)"
    (folder / "tenants-ratios.svg").write_text(bars(title, [("", judged)], logarithmic=True))
    if served := results.get("serving"):
        works = dict.fromkeys(each.work for each in served)
        groups = [
            (work, [Bar(each.way, each.median, OURS if each.ours else THEIRS) for each in served if each.work == work])
            for work in works
        ]
        (folder / "tenants-serving.svg").write_text(bars("gunicorn, 200 tenants: requests per second", groups))
    if kept := results.get("registered"):
        ways = {way: [each for each in kept if each.way == way] for way in dict.fromkeys(each.way for each in kept)}
        series = {
            way: [(int(each.work.split()[0].replace(",", "")), each.median) for each in some]
            for way, some in ways.items()
        }
        (folder / "tenants-registered.svg").write_text(
            lines("What a request costs with ever more registered tenants, in ms (log scales)", series)
        )


def bars(title: str, groups: Sequence[tuple[str, list[Bar]]], *, logarithmic: bool = False) -> str:
    """Return a plot of horizontal bars in groups. The bars of a logarithmic plot begin at a half."""
    left, right, step = 380, 70, 22
    parts, y = [], 44

    def scale(value: float) -> float:
        return math.log(value / 0.5) if logarithmic else value

    longest = scale(max(max(bar.value, bar.mark) for _, some in groups for bar in some))

    def across(value: float) -> float:
        return max(0.0, scale(value)) / longest * (WIDTH - left - right)

    for heading, some in groups:
        if heading:
            parts.append(f'<text x="10" y="{y + 10}" font-weight="bold">{escape(heading)}</text>')
            y += step
        for bar in some:
            length = across(bar.value)
            parts.append(f'<text x="{left - 8}" y="{y + 11}" text-anchor="end">{_plain(bar.name)}</text>')
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.0f}" height="14" fill="{bar.colour}"/>')
            if bar.mark:
                x = left + across(bar.mark)
                parts.append(f'<path d="M{x:.0f} {y - 3}v20" stroke="{MARK}" stroke-width="3"/>')
            end = left + max(length, across(bar.mark) if bar.mark else 0) + 6
            parts.append(f'<text x="{end:.0f}" y="{y + 11}">{number(bar.value)}</text>')
            y += step
        y += 8
    return HEAD.format(width=WIDTH, height=y, title=escape(title)) + "\n".join(parts) + "\n</svg>\n"


def lines(title: str, series: dict[str, list[tuple[int, float]]]) -> str:
    """Return a plot of lines with two logarithmic scales."""
    left, top, width, height = 50, 45, 530, 300
    sizes = sorted({size for some in series.values() for size, _ in some})
    values = [value for some in series.values() for _, value in some]
    bottom, upper = math.floor(math.log2(min(values))), math.ceil(math.log2(max(values)))

    def x(size: int) -> float:
        return left + width * math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])

    def y(value: float) -> float:
        return top + height * (upper - math.log2(value)) / (upper - bottom)

    parts = [f'<text x="{left + width / 2}" y="{top + height + 40}" text-anchor="middle">registered tenants</text>']
    for power in range(bottom, upper + 1):
        parts.append(f'<path d="M{left} {y(2**power):.0f}h{width}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y(2**power) + 4:.0f}" text-anchor="end">{2**power:g}</text>')
    below = top + height + 20
    parts += [f'<text x="{x(size):.0f}" y="{below}" text-anchor="middle">{size:,}</text>' for size in sizes]
    for place, (name, some) in enumerate(series.items()):
        path = " ".join(f"{x(size):.0f},{y(value):.1f}" for size, value in some)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{LINES[name]}" stroke-width="2.5"/>')
        here = top + 10 + place * 22
        parts.append(f'<path d="M{left + width + 20} {here}h24" stroke="{LINES[name]}" stroke-width="2.5"/>')
        parts.append(f'<text x="{left + width + 50}" y="{here + 4}">{escape(name)}: {number(some[-1][1])} ms</text>')
    return HEAD.format(width=WIDTH, height=top + height + 55, title=escape(title)) + "\n".join(parts) + "\n</svg>\n"


def _plain(name: str) -> str:
    return escape(name.replace("`", ""))
