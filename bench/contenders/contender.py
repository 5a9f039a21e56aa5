"""What is measured: processes, what they are sent, and what they take."""

from __future__ import annotations

from dataclasses import dataclass

from bench.load.generator import Target
from bench.load.processes import children_of, cpu_seconds, megabytes, own_megabytes


@dataclass
class System:
    """A process and its children.

    Attributes:
        name: as the tables have it.
        pid: of the process.
        seconds: from its start until it was ready.
        peak: the most memory that was seen, in MB.
        children_peak: the same without the process itself.
    """

    name: str
    pid: int
    seconds: float
    peak: float = 0.0
    children_peak: float = 0.0

    def look(self) -> None:
        """Notes how much memory it takes at this moment."""
        children = sum(map(megabytes, children_of(self.pid)))
        self.children_peak = max(self.children_peak, children)
        self.peak = max(self.peak, children + own_megabytes(self.pid))


@dataclass(frozen=True)
class Contender:
    """A row of the table.

    Attributes:
        name: as the table has it.
        systems: those of this machine that have a part in an answer.
        target: who is asked, and what.
        slow: whether it meets a crowd in few rounds, which would else take minutes.
    """

    name: str
    systems: list[System]
    target: Target
    slow: bool = False

    def cpu(self) -> float:
        """Seconds of processor that its systems have taken."""
        return sum(cpu_seconds(system.pid) for system in self.systems)

    def look(self) -> None:
        """Notes how much memory its systems take."""
        for system in self.systems:
            system.look()
