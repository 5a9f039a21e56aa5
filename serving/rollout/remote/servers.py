"""All model servers of a site, be it one: which there are, and what is loaded on them."""

from __future__ import annotations

from collections.abc import Callable

from serving.client import ServingError, Unavailable, VersionStatus
from serving.rollout.remote.addresses import Addresses
from serving.rollout.remote.at_once import answers, each, some
from serving.rollout.remote.server import AWAY, ModelServer, serves

States = dict[int, VersionStatus]


class Servers:
    """The servers of a site, asked about one model; nothing here changes what they do."""

    def __init__(self, addresses: Addresses, connect: Callable[[str], ModelServer]) -> None:
        """Connects at the first call.

        Args:
            addresses: where the servers answer.
            connect: makes the client of one.
        """
        self.url = addresses.text
        self._addresses = addresses
        self._connect = connect
        self._known: dict[str, ModelServer] = {}

    def members(self) -> list[ModelServer]:
        """The servers at this moment.

        Raises:
            Unavailable: the name that stands for them has no address.
        """
        urls = self._addresses.urls()
        for url in urls:
            if url not in self._known:
                self._known[url] = self._connect(url)
        return [self._known[url] for url in urls]

    @property
    def is_one(self) -> bool:
        """Whether there is one server only, of which nothing is said that names it."""
        try:
            return len(self.members()) == 1
        except Unavailable:
            return False

    @property
    def name(self) -> str:
        """What a sentence about a server that cannot be named begins with."""
        return "The model server" if self.is_one else "A model server"

    def states(self, model: str | None = None) -> dict[str, States | ServingError]:
        """What each server says of the versions of this or of another model, by URL.

        Raises:
            ServingError: none of them can be asked.
        """
        found = some(each(lambda server: server.states(model), self.members()))
        return {server.url: states for server, states in found.items()}

    def serving(self, version: int | None) -> list[ModelServer]:
        """The servers on which a version answers right now.

        Raises:
            ServingError: none of them can be asked.
        """
        found = answers(some(each(ModelServer.states, self.members())))
        return [s for s, states in found.items() if version and serves(states.get(version))]

    def serves(self, version: int | None) -> bool:
        """Whether a version answers on all servers that answer at all; no version does not."""
        try:
            found = answers(some(each(ModelServer.states, self.members())))
        except AWAY:
            return False
        return version is not None and all(serves(states.get(version)) for states in found.values())

    def versions_of(self, label: str) -> dict[str, int | None]:
        """The version that a label leads to, by the URLs of the servers that answer.

        Raises:
            ServingError: none of them can be asked.
        """
        found = some(each(lambda server: server.version_of(label), self.members()))
        return {server.url: version for server, version in answers(found).items()}

    def close(self) -> None:
        """Closes the connections."""
        for server in self._known.values():
            server.close()
