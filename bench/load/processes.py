"""Reads the memory and processor time of a process and its descendants from Linux's /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    """Returns the proportional set size of `pid` and descendants in MB; shared pages count once."""
    return sum(own_megabytes(each) for each in family(pid))


def cpu_seconds(pid: int) -> float:
    """Returns the processor seconds of `pid` and its living descendants, to a hundredth."""
    return sum(_ticks(each) for each in family(pid)) / _TICKS


def children_of(pid: int) -> list[int]:
    """Returns the ids of the child processes of `pid`."""
    found = list[int]()
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def family(pid: int) -> list[int]:
    """The process and all its living descendants, parents before their children."""
    return [pid, *(each for child in children_of(pid) for each in family(child))]


def own_megabytes(pid: int) -> float:
    """Proportional set size of `pid` alone, in MB."""
    with suppress(FileNotFoundError, ProcessLookupError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
    return 0.0


def _ticks(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        # The name in brackets may contain any character; utime and stime are fields 14 and 15.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0
