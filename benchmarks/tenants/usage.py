"""Memory and processor time of a database server's processes, from `/proc`: Linux only."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def memory(data: Path) -> float:
    """Return the memory of the processes in MB, shared memory counted once. Argument: the server's folder."""
    lines = [line for text in _read(data, "smaps_rollup") for line in text.splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def processor(data: Path) -> float:
    """Return the processor time of the processes in seconds, ended ones included."""
    leader, *others = [text.rpartition(")")[2].split() for text in _read(data, "stat")]
    ticks = sum(int(ticks) for ticks in leader[11:15])
    ticks += sum(int(ticks) for each in others for ticks in each[11:13])
    return ticks / TICKS


def _read(data: Path, name: str) -> Iterator[str]:
    leader = (data / "postmaster.pid").read_text().split()[0]
    children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    for process in (leader, *children):
        # The process of a session may have ended.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield Path(f"/proc/{process}/{name}").read_text()
