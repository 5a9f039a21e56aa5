"""What a process and all that it started take, memory and processor; read from Linux' /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    """Proportional set size of `pid` and all its descendants, in MB: shared pages count once."""
    return sum(own_megabytes(each) for each in family(pid))


def cpu_seconds(pid: int) -> float:
    """Processor time that `pid` and all its living descendants have taken, in hundredths."""
    return sum(_ticks(each) for each in family(pid)) / _TICKS


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started."""
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
        # The name, in brackets, may hold anything; utime and stime are fields 14 and 15.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0
