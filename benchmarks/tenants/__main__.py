"""Compares the role of tenants with other packages: `python -m benchmarks.tenants`; see `benchmarks/README.md`."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.tenants import migrating, plots, provisioning, requests, serving, shop, starts, targets
from benchmarks.tenants.arena import Arena
from benchmarks.tenants.results import Result, load, save, table
from tests.support.template import ROOT

Part = Callable[[Arena, argparse.Namespace], list[Result]]
#: In the order of measurement.
PARTS: dict[str, Part] = {
    "requests": lambda arena, chosen: requests.in_process(arena, chosen.tenants, chosen.rounds),
    "registered": lambda arena, chosen: requests.registered(arena, chosen.registered, chosen.rounds),
    "serving": lambda arena, chosen: serving.over_a_server(arena, chosen.tenants, chosen.rounds, chosen.seconds),
    "provisioning": lambda arena, chosen: provisioning.one_more(arena, chosen.rounds * 10),
    "starts": lambda arena, chosen: starts.one_test(arena, chosen.rounds),
    "migrating": lambda arena, chosen: migrating.all_tenants(arena, chosen.tenants, chosen.rounds),
    "migrating_large": lambda arena, chosen: migrating.all_tenants(
        arena, chosen.tenants // 4, chosen.rounds, shop.LARGE
    ),
}


def main() -> None:
    """Measure the chosen parts, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be given several times")
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--registered", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6, help="how long a web server is asked at a time")
    parser.add_argument("--results", type=Path, help="a file of results, to which those of this run are added")
    parser.add_argument("--report", action="store_true", help="print and draw what is in that file; measure nothing")
    chosen = parser.parse_args()
    if chosen.report:
        report(load(chosen.results))
        return
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder))
        try:
            print(f"{arena.versions()}; {chosen.tenants} tenants; medians of {chosen.rounds} rounds.\n")
            for part in chosen.only or PARTS:
                found = PARTS[part](arena, chosen)
                if chosen.results:
                    save(chosen.results, {**load(chosen.results), part: found})
                print(f"## {part}\n\n{table(found)}\n", flush=True)
        finally:
            arena.stop()


def report(results: dict[str, list[Result]]) -> None:
    """Print all tables, and draw the plots into `docs/images`."""
    print(targets.table(results))
    for part, found in results.items():
        print(f"\n## {part}\n\n{table(found)}")
    plots.draw(results, ROOT / "docs/images")


if __name__ == "__main__":
    main()
