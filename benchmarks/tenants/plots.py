"""Plots."""

from pathlib import Path

from benchmarks.tenants.results import Result


def draw(results: dict[str, list[Result]], folder: Path) -> None:
    """Draw."""
