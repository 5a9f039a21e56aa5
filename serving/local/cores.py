"""How many cores this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """The cores that the system may run this process on, as TensorFlow counts them (`cpu_info.h`).

    A container may have fewer than its machine; macOS cannot tell.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
