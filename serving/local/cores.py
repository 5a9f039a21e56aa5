"""How many cores this process may use, and how TensorFlow is to use them."""

from __future__ import annotations

import os
from typing import NamedTuple


class Parallelism(NamedTuple):
    """Threads inside one operation, and operations at once; 0 for as many as there are cores."""

    intra_op: int = 0
    inter_op: int = 0


DEFAULT_PARALLELISM = Parallelism()


def usable_cores() -> int:
    """The cores that the system may run this process on, as TensorFlow counts them (`cpu_info.h`).

    A container may have fewer than its machine; macOS cannot tell.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
