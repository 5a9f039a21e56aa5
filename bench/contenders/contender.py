"""The measured processes, the requests sent to them, and their memory and processor time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.load.generator import Target
from bench.load.processes import children_of, cpu_seconds, megabytes, own_megabytes


@dataclass
class System:
    """A process and its children.

    Attributes:
        name: as shown in the tables.
        pid: the id of the process.
        seconds: from its start until it was ready.
        peak: the highest memory that was measured, in MB.
        children_peak: the same for the children alone.
    """

    name: str
    pid: int
    seconds: float
    peak: float = 0.0
    children_peak: float = 0.0

    def look(self) -> None:
        """Measures the current memory and updates both peaks."""
        children = sum(map(megabytes, children_of(self.pid)))
        self.children_peak = max(self.children_peak, children)
        self.peak = max(self.peak, children + own_megabytes(self.pid))


@dataclass(frozen=True)
class Contender:
    """A row of the table.

    Attributes:
        name: as shown in the table.
        systems: the systems on this machine that take part in an answer.
        target: the address and the body of its requests.
        slow: whether most rounds skip the largest number of clients, which would take minutes.
    """

    name: str
    systems: list[System]
    target: Target
    slow: bool = False

    def cpu(self) -> float:
        """Returns the processor seconds that its systems have used; NaN if none is known."""
        used = sum(cpu_seconds(system.pid) for system in self.systems)
        return used if self.systems else math.nan

    def look(self) -> None:
        """Updates the memory peaks of its systems."""
        for system in self.systems:
            system.look()
