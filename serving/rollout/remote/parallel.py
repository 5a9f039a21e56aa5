"""Asks several model servers in parallel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.client import ServingError
from serving.rollout.remote.server import ModelServer

T = TypeVar("T")

_MOST_THREADS = 64


def ask_all(
    ask: Callable[[ModelServer], T], servers: Collection[ModelServer]
) -> dict[ModelServer, T | ServingError]:
    """Asks several servers in parallel; returns the error of a server that cannot be asked."""

    def answer(server: ModelServer) -> T | ServingError:
        try:
            return ask(server)
        except ServingError as error:
            return error

    if len(servers) <= 1:
        return {server: answer(server) for server in servers}
    with ThreadPoolExecutor(min(len(servers), _MOST_THREADS)) as pool:
        return dict(zip(servers, pool.map(answer, servers), strict=True))


def successes(found: Mapping[ModelServer, T | ServingError]) -> dict[ModelServer, T]:
    """Leaves out the servers that could not be asked."""
    return {server: x for server, x in found.items() if not isinstance(x, ServingError)}


def require_any(found: dict[ModelServer, T | ServingError]) -> dict[ModelServer, T | ServingError]:
    """Returns the answers unchanged if at least one server answered.

    Raises:
        ServingError: no server answered; the error is that of the first server.
    """
    if found and not successes(found):
        server, error = next(iter(found.items()))
        assert isinstance(error, ServingError)  # noqa: S101
        if len(found) == 1:
            raise error
        raise type(error)(f"{server.url}: {error}") from error.__cause__
    return found
