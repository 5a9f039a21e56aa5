"""All model servers of a site: configures each server; a step is done once all servers followed.

A server that does not listen answers no request and reads the files when it starts, so a step goes
on without it after some patience. A server that listens but does not follow might answer by its old
configuration, so it blocks the step and is named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from serving.rollout.errors import Refused
from serving.rollout.remote.addresses import Addresses
from serving.rollout.remote.parallel import ask_all, require_any, successes
from serving.rollout.remote.server import ModelServer, is_gone
from serving.rollout.remote.servers import Servers
from serving.rollout.remote.waiting import Loading, ServerPoll, Wait, unloaded
from serving.wire import messages_pb2 as pb

Say = Callable[[str], None]

FOLLOW_SECONDS = 60.0
LATE_SECONDS = 30.0
PATIENCE_SECONDS = 30.0
_URGENT_SECONDS = 3.0
_POLL_SECONDS = 0.1
_POLL_SECONDS_EACH = 0.005
_TELL_SECONDS = 5.0


class Fleet(Servers):
    """One model on all model servers of a site, one or many: configures and waits for them."""

    def __init__(
        self,
        addresses: Addresses,
        connect: Callable[[str], ModelServer],
        *,
        patience: float = PATIENCE_SECONDS,
        say: Say = lambda _: None,
    ) -> None:
        """Connects at the first call.

        Args:
            addresses: see `Servers`.
            connect: see `Servers`.
            patience: seconds to wait for a server that does not listen while others answer.
            say: called with the servers that a step waits for.
        """
        super().__init__(addresses, connect)
        self._patience = patience
        self._say = say
        self._gone: dict[ModelServer, float] = {}
        self._without: dict[str, str] = {}
        self._late: list[ModelServer] = []

    def extent(self) -> str:
        """Returns a text about how many servers followed the last call; empty for one server."""
        count = len(self.members())
        return "" if count == 1 else f" on {count - len(self._without)} servers{self.without()}"

    def without(self) -> str:
        """Returns a text about the servers that the last call went on without, or an empty one."""
        named = ", ".join(f"{url} ({why})" for url, why in sorted(self._without.items()))
        return f"; without {named}" if named else ""

    # ---- configuring ----

    def reload(self, config: pb.ModelServerConfig) -> None:
        """Sends all servers a configuration, and waits until they have accepted it.

        Raises:
            ServingError: no server can be reached, or one refuses.
            Refused: a server listens, but does not follow.
        """
        members = self.members()
        if len(members) == 1:
            members[0].reload(config)
            return
        otherwise = f"Not every server took the configuration within {FOLLOW_SECONDS:g} s"
        self._wait(lambda server: server.bring_to(config), FOLLOW_SECONDS, otherwise, asks_all=True)

    def reload_without_waiting(self, config: pb.ModelServerConfig) -> None:
        """Sends all servers a configuration; does not wait for dead, late or outdated ones.

        Raises:
            ServingError: no server can be reached.
        """
        members = self.members()
        if len(members) == 1:
            members[0].reload(config)
            return
        self._tell(config, members)

    def bring(self, config: pb.ModelServerConfig) -> dict[str, str]:
        """Sends each server a configuration, or what it accepts of it by now; does not wait.

        Returns:
            A text for each server that has not accepted the whole configuration, by URL.

        Raises:
            ServingError: no server can be reached.
        """
        found = ask_all(lambda server: server.bring_to(config, _URGENT_SECONDS), self.members())
        return {server.url: str(x) for server, x in require_any(found).items() if x is not None}

    def tell_late(self, config: pb.ModelServerConfig) -> None:
        """Retries for a while the listening servers that `reload_without_waiting` left behind."""
        deadline = time.monotonic() + LATE_SECONDS
        while self._late and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            self._tell(config, self._late)

    def _tell(self, config: pb.ModelServerConfig, servers: Collection[ModelServer]) -> None:
        found = ask_all(lambda server: server.bring_to(config, _URGENT_SECONDS), servers)
        if len(servers) == len(self.members()):
            require_any(found)
        behind = {s: words for s, words in found.items() if words is not None}
        self._late = [s for s, x in behind.items() if isinstance(x, str) or not is_gone(x)]
        told = {s.url for s in servers}
        others = {url: why for url, why in self._without.items() if url not in told}
        self._without = others | {s.url: str(words) for s, words in behind.items()}

    # ---- waiting ----

    def load(
        self,
        config: pb.ModelServerConfig,
        version: int,
        beside: int | None,
        watched: Collection[ModelServer],
        seconds: float,
    ) -> None:
        """Loads a version on all servers: on one server first, then on the others.

        A version that crashes a server while it loads should crash only one. A server that polls
        the file may start to load earlier.

        Args:
            config: names the version, as does the file that servers poll.
            version: the version to load.
            beside: a version that must go on serving, or None.
            watched: the servers on which `beside` serves.
            seconds: the timeout of each of the two waits.

        Raises:
            Lost: `beside` does not serve any more, or its server does not answer.
            Refused: the version cannot be loaded, or not in time.
            ServingError: no server can be reached, or one refuses.
        """
        one = len(self.members()) == 1
        if not one:
            first = next(iter(watched or self._answering()))
            first.bring_to(config)
            pilot = Loading(version, beside, [first] if first in watched else [], one=False)
            self._wait_until_loaded(pilot, seconds, only=[first])
        self.reload(config)
        tolerated = 0.0 if one else self._patience
        loading = Loading(version, beside, watched, tolerated, one=one)
        self._wait_until_loaded(loading, seconds)

    def wait_until_available(self, version: int, seconds: float) -> None:
        """Waits until a version serves; its warm-up requests have been replayed by then.

        Raises:
            Refused: the version cannot be loaded, or not in time.
        """
        one = len(self.members()) == 1
        self._wait_until_loaded(Loading(version, one=one), seconds)

    def wait_until_gone(self, version: int, seconds: float) -> None:
        """Waits until a version is unloaded, which happens after its last request.

        Raises:
            Refused: the version is not unloaded in time.
        """
        self._wait(unloaded(version), seconds, f"It was not unloaded within {seconds:g} s")

    def _answering(self) -> list[ModelServer]:
        return list(successes(require_any(ask_all(ModelServer.states, self.members()))))

    def _wait_until_loaded(
        self, loading: Loading, seconds: float, only: Sequence[ModelServer] = ()
    ) -> None:
        otherwise = f"It was not AVAILABLE within {seconds:g} s"
        self._wait(loading, seconds, otherwise, only=only)

    def _wait(
        self,
        look: ServerPoll,
        seconds: float,
        otherwise: str,
        *,
        only: Sequence[ModelServer] = (),
        asks_all: bool = False,
    ) -> None:
        """Polls the servers until each is in the wanted state, even while a server restarts.

        Raises:
            Lost: see `Loading`.
            Refused: the time is over.
            ServingError: with `asks_all`, no server answers; or a server refuses.
        """
        began, wait = time.monotonic(), Wait(self._gone)
        told = began
        while True:
            members = only or self.members()
            found = ask_all(look, [server for server in members if server not in wait.done])
            if asks_all and not wait.done:
                require_any(found)
            wait.take(found)
            keep: Collection[ModelServer] = ()
            if isinstance(look, Loading):
                look.require_beside(members)
                keep = look.watched
            many = len(members) > 1
            self._without = wait.left_out(members, self._patience, keep) if many else {}
            late = [s for s in members if s not in wait.done and s.url not in self._without]
            if not late:
                return
            now = time.monotonic()
            blocking = wait.blocking(late) if many else late
            if blocking and now - began >= seconds:
                raise Refused(f"{otherwise}: {wait.describe(blocking)}.")
            if many and now - told >= _TELL_SECONDS:
                told = now
                self._say(f"  waiting for {len(late)} of {len(members)}: {wait.describe(late)}")
            time.sleep(max(_POLL_SECONDS, len(late) * _POLL_SECONDS_EACH))
