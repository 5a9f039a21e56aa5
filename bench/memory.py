"""How much memory a process and all that it started take; read from Linux' /proc."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def megabytes(pid: int) -> float:
    """Proportional set size of `pid` and all its descendants, in MB: shared pages count once."""
    return sum(_own(each) for each in _family(pid))


def _family(pid: int) -> list[int]:
    found = [pid]
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child))
    return found


def _own(pid: int) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
    return 0.0
