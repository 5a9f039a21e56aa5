"""Measures how the cost grows with the number of clients, the batch and the photo's size."""

from __future__ import annotations

from typing import NamedTuple

from bench.contenders.contender import Contender
from bench.contenders.contenders import Systems
from bench.load.generator import Generator
from bench.photos import of_megapixels
from bench.report.figures import Slice
from bench.rounds import ask

CLIENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
MEGAPIXELS = (0.05, 0.2, 1, 3, 12, 24, 50)
SECONDS = 1.5


class Growth(NamedTuple):
    """Slices by the size of the work."""

    clients: dict[int, Slice]
    batches: dict[int, Slice]
    megapixels: dict[float, Slice]


def grow(systems: Systems, generator: Generator, front: Contender, server: Contender) -> Growth:
    """Measures each size once.

    Args:
        systems: the running ones, whose folder stores the request bodies.
        generator: the process that sends the requests.
        front: the front end, with a photo; asked by more and more clients.
        server: the model server by gRPC; asked with larger and larger batches.
    """
    return Growth(
        {clients: ask(generator, front, clients, SECONDS) for clients in CLIENTS},
        {n: ask(generator, _batch(systems, server, n), 1, SECONDS) for n in BATCHES},
        {mp: ask(generator, _photo(systems, front, mp), 1, SECONDS) for mp in MEGAPIXELS},
    )


def _batch(systems: Systems, server: Contender, size: int) -> Contender:
    return Contender(server.name, server.systems, systems.by_grpc(server.target.url, size))


def _photo(systems: Systems, front: Contender, megapixels: float) -> Contender:
    target = systems.upload(front.target.url, of_megapixels(megapixels))
    return Contender(front.name, front.systems, target)
