"""All model servers of a site, one or many: their addresses, and the versions loaded on them."""

from __future__ import annotations

from collections.abc import Callable

from serving.client import ServingError, Unavailable, VersionStatus
from serving.rollout.remote.addresses import Addresses
from serving.rollout.remote.parallel import ask_all, require_any, successes
from serving.rollout.remote.server import TRANSIENT_ERRORS, ModelServer, serves

Statuses = dict[int, VersionStatus]


class Servers:
    """Queries the servers of a site about one model, and changes nothing on them."""

    def __init__(self, addresses: Addresses, connect: Callable[[str], ModelServer]) -> None:
        """Connects at the first call.

        Args:
            addresses: where the servers answer.
            connect: makes the client of a server.
        """
        self.url = addresses.text
        self._addresses = addresses
        self._connect = connect
        self._known: dict[str, ModelServer] = {}

    def members(self) -> list[ModelServer]:
        """Returns the current servers.

        Raises:
            Unavailable: the name that stands for the servers has no address.
        """
        urls = self._addresses.urls()
        for url in urls:
            if url not in self._known:
                self._known[url] = self._connect(url)
        return [self._known[url] for url in urls]

    @property
    def is_one(self) -> bool:
        """Whether there is only one server, which messages need not name."""
        try:
            return len(self.members()) == 1
        except Unavailable:
            return False

    @property
    def name(self) -> str:
        """Returns 'The model server', or 'A model server' if there are several."""
        return "The model server" if self.is_one else "A model server"

    def states(self, model: str | None = None) -> dict[str, Statuses | ServingError]:
        """Returns each server's states of the versions of this or another model, by URL.

        Raises:
            ServingError: no server can be asked.
        """
        found = require_any(ask_all(lambda server: server.states(model), self.members()))
        return {server.url: states for server, states in found.items()}

    def serving(self, version: int | None) -> list[ModelServer]:
        """Returns the servers on which a version answers right now.

        Raises:
            ServingError: no server can be asked.
        """
        found = successes(require_any(ask_all(ModelServer.states, self.members())))
        if version is None:
            return []
        return [s for s, states in found.items() if serves(states.get(version))]

    def serves(self, version: int | None) -> bool:
        """Says whether a version serves on all servers that answer; False for None."""
        try:
            found = successes(require_any(ask_all(ModelServer.states, self.members())))
        except TRANSIENT_ERRORS:
            return False
        return version is not None and all(serves(states.get(version)) for states in found.values())

    def versions_of(self, label: str, model: str | None = None) -> dict[str, int | None]:
        """Returns the version that a label of this or another model leads to, by server URL.

        Raises:
            ServingError: no server can be asked.
        """
        found = require_any(ask_all(lambda server: server.version_of(label, model), self.members()))
        return {server.url: version for server, version in successes(found).items()}

    def close(self) -> None:
        """Closes the connections."""
        for server in self._known.values():
            server.close()
