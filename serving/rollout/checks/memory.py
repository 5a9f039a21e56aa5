"""Checks that one more version fits in memory before it loads; else the system kills a process."""

from __future__ import annotations

from pathlib import Path

from serving.rollout.errors import Refused

_MARGIN = 1.1
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def require_room(growth: int, free: int | None, *, force: bool = False) -> str:
    """Compares the memory that a version needs with the free memory.

    Args:
        growth: bytes by which a fresh process grew when it loaded and warmed up the version.
        free: free bytes, or None if unknown.
        force: whether the version may be loaded even if it would not fit.

    Returns:
        A short text about the comparison.

    Raises:
        Refused: the version would not fit.
    """
    if force:
        return f"needs {_mb(growth)}; not compared with what is free (--force)"
    if free is None:
        return f"needs {_mb(growth)}; how much is free cannot be told here"
    if growth * _MARGIN > free:
        raise Refused(
            f"Another version needs about {_mb(growth)}, and {_mb(free)} are free. "
            "Retire a version first, or insist with --force."
        )
    return f"needs {_mb(growth)}, {_mb(free)} are free"


def free_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Returns the free memory of this machine, or of the container that this process runs in.

    If only the model server runs in a container, this process cannot see that container's limit.
    """
    left = [free for free in (_available(meminfo), _below_limit(cgroup)) if free is not None]
    return min(left, default=None)


def _available(meminfo: Path) -> int | None:
    if not meminfo.exists():
        return None
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _below_limit(cgroup: Path) -> int | None:
    limit, used = cgroup / "memory.max", cgroup / "memory.current"
    if not limit.exists() or not used.exists() or limit.read_text().strip() == "max":
        return None
    # The system drops cached pages of files before it kills a process.
    pages = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    return int(limit.read_text()) - int(used.read_text()) + int(pages.get("inactive_file", 0))


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
