"""Everybody in turn, several rounds: what else the machine does falls on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from bench.contenders import Contender
from bench.decoding import decoding
from bench.figures import Slice, of_load, of_loop
from bench.generator import Generator
from bench.workers import Worker

CLIENTS = (1, 8, 64)
SECONDS = {1: 1.0, 8: 1.5, 64: 2.5}
THREADS = (1, 2)
LOOP_SECONDS = 1.0

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


def play(
    count: int,
    rows: Iterable[Contender],
    engines: Mapping[str, Worker],
    generator: Generator,
    say: Say,
) -> Rounds:
    """Measures everybody `count` times in turn."""
    rounds = Rounds()
    for number in range(count):
        say(f"round {number + 1} of {count}")
        for name, worker in engines.items():
            for threads in THREADS:
                of = rounds.looped.setdefault(name, {}).setdefault(threads, [])
                of.append(call(worker, threads, LOOP_SECONDS))
        for way, milliseconds in decoding().items():
            rounds.decoded.setdefault(way, []).append(milliseconds)
        for row in rows:
            for clients in CLIENTS:
                of = rounds.served.setdefault(row.name, {}).setdefault(clients, [])
                of.append(ask(generator, row, clients, SECONDS[clients]))
    return rounds


def ask(generator: Generator, row: Contender, clients: int, seconds: float) -> Slice:
    """One slice of one contender."""
    before = row.cpu()
    load = generator.load(row.target, clients, seconds)
    used = row.cpu() - before
    row.look()
    return of_load(load, used)


def call(worker: Worker, threads: int, seconds: float, batch: int = 1) -> Slice:
    """One slice of one engine in a process of its own."""
    told = worker.ask({"threads": threads, "seconds": seconds, "batch": batch})
    # Its threads may go on spinning for a moment.
    time.sleep(0.05)
    return of_loop(told["milliseconds"], told["seconds"], told["cpu"])
