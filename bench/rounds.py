"""Measures all contenders in turn over several rounds, so other work of the machine affects all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from bench.contenders.contender import Contender
from bench.contenders.decoding import decoding
from bench.load.generator import Generator
from bench.load.workers import Worker
from bench.report.figures import Slice, of_load, of_loop

SECONDS = {1: 0.7, 8: 1.0, 64: 2.0}
"""How long each load lasts, by number of clients."""
CALLERS = {1: 1, 8: 2}
"""How many threads call an engine, by the number of server clients that it is compared with."""
LOOP_SECONDS = 0.8
CROWDS_OF_SLOW = 2
"""The rounds in which a slow contender gets 64 clients: 64 of its answers take ten seconds."""

Say = Callable[[str], None]


@dataclass
class Rounds:
    """One slice for each round.

    Attributes:
        served: by contender and clients.
        looped: by engine and threads that call it.
        decoded: milliseconds of decoding, by photo and way.
    """

    served: dict[str, dict[int, list[Slice]]] = field(default_factory=dict)
    looped: dict[str, dict[int, list[Slice]]] = field(default_factory=dict)
    decoded: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class Measurement:
    """The contenders and their results so far.

    A machine's speed changes from one minute to the next. So a round goes from one client to many
    and measures all contenders in turn with each number, to keep compared measurements close in
    time. Every second round runs in reverse, so that no contender always follows another.
    """

    contenders: Sequence[Contender]
    engines: dict[str, Worker]
    generator: Generator
    rounds: Rounds = field(default_factory=Rounds)

    def run(self, count: int, say: Say) -> Rounds:
        """Measures all contenders in `count` rounds."""
        for number in range(count):
            say(f"round {number + 1} of {count}")
            turns = list(self._turns(number))
            for turn in reversed(turns) if number % 2 else turns:
                turn()
        return self.rounds

    def _turns(self, number: int) -> Iterator[Callable[[], None]]:
        for clients in SECONDS:
            if clients in CALLERS:
                # Reversed: the signature, the first engine and usual baseline, is next to them.
                for engine in reversed(self.engines):
                    yield partial(self._loop, engine, CALLERS[clients])
            if clients == 1:
                yield self._decode
            for contender in self.contenders:
                if clients < max(SECONDS) or number < CROWDS_OF_SLOW or not contender.slow:
                    yield partial(self._ask, contender, clients)

    def _loop(self, engine: str, threads: int) -> None:
        of = self.rounds.looped.setdefault(engine, {}).setdefault(threads, [])
        of.append(call(self.engines[engine], threads, LOOP_SECONDS))

    def _ask(self, contender: Contender, clients: int) -> None:
        of = self.rounds.served.setdefault(contender.name, {}).setdefault(clients, [])
        of.append(ask(self.generator, contender, clients, SECONDS[clients]))

    def _decode(self) -> None:
        for way, milliseconds in decoding().items():
            self.rounds.decoded.setdefault(way, []).append(milliseconds)


def ask(generator: Generator, contender: Contender, clients: int, seconds: float) -> Slice:
    """Measures one slice of one contender."""
    before = contender.cpu()
    load = generator.load(contender.target, clients, seconds)
    used = contender.cpu() - before
    contender.look()
    return of_load(load, used)


def call(worker: Worker, threads: int, seconds: float, batch: int = 1) -> Slice:
    """Measures one slice of one engine in its worker process."""
    told = worker.ask({"threads": threads, "seconds": seconds, "batch": batch})
    # The engine's threads may keep spinning for a moment.
    time.sleep(0.05)
    return of_loop(told["milliseconds"], told["seconds"], told["cpu"])
