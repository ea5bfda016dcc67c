"""Results by work and way: stored in a file between runs, and printed as tables."""

import dataclasses
import json
import statistics
import sys
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Result:
    """The samples of one way of doing a piece of work, one per round, and other facts about it."""

    work: str
    way: str
    unit: str
    samples: list[float]
    ours: bool = False
    extra: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.samples)

    @property
    def more_is_better(self) -> bool:
        """Whether the numbers are a rate, not times."""
        return self.unit.startswith("requests")

    def times_as_fast_as(self, other: "Result") -> float:
        """Return how many times as fast as another result this one is."""
        ratio = self.median / other.median
        return ratio if self.more_is_better else 1 / ratio


def say(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)


def load(file: Path) -> dict[str, list[Result]]:
    """Return the results in a file by part; none if there is no file."""
    found = json.loads(file.read_text()) if file.exists() else {}
    return {part: [Result(**result) for result in results] for part, results in found.items()}


def save(file: Path, results: dict[str, list[Result]]) -> None:
    """Write results to a file."""
    rows = {part: [dataclasses.asdict(each) for each in some] for part, some in results.items()}
    for some in rows.values():
        for each in some:
            each["samples"] = [float(f"{sample:.4g}") for sample in each["samples"]]
    text = json.dumps(rows, indent=1, sort_keys=True)
    file.write_text(text + "\n")


def number(value: float) -> str:
    """Return a number with its significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(results: list[Result]) -> str:
    """Return the results of a part as a table, with a column of ratios for each of our ways."""
    ours = list(dict.fromkeys(each.way for each in results if each.ours))
    extra = list(dict.fromkeys(key for each in results for key in each.extra))
    head = ["work", "way", f"median, {results[0].unit}", "shortest and longest"]
    head += [f"{way} is times as fast" for way in ours] + extra
    lines = [head, ["---"] * len(head)]
    for each in results:
        beside = {other.way: other for other in results if other.ours and other.work == each.work}
        ratios = [f"{beside[way].times_as_fast_as(each):.2f}" if way in beside else "" for way in ours]
        spread = f"{number(min(each.samples))} to {number(max(each.samples))}"
        cells = [each.work, each.way, number(each.median), spread, *ratios]
        lines.append(cells + [each.extra.get(key, "") for key in extra])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
