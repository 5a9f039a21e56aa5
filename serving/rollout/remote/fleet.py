"""All model servers of a site: each is told, and a step is done once it is done on all.

A server on which nobody listens answers no request and reads the files when it starts, so after
some patience a step goes on without it. One that listens and does not follow might answer by what
it was told before: it holds the step up, and is named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from serving.rollout.errors import Refused
from serving.rollout.remote.addresses import Addresses
from serving.rollout.remote.at_once import answers, each, some
from serving.rollout.remote.server import ModelServer, is_gone
from serving.rollout.remote.servers import Servers
from serving.rollout.remote.waiting import Loading, Look, Wait, unloaded
from serving.wire import messages_pb2 as pb

Say = Callable[[str], None]

FOLLOW_SECONDS = 60.0
LATE_SECONDS = 30.0
PATIENCE_SECONDS = 30.0
_URGENT_SECONDS = 3.0
_LOOK_SECONDS = 0.1
_LOOK_SECONDS_EACH = 0.005
_TELL_SECONDS = 5.0


class Fleet(Servers):
    """One model of all model servers of a site, be it one: told, and waited for."""

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
            patience: seconds to wait for a server on which nobody listens, where others answer.
            say: told which servers a step waits for.
        """
        super().__init__(addresses, connect)
        self._patience = patience
        self._say = say
        self._gone: dict[ModelServer, float] = {}
        self._without: dict[str, str] = {}
        self._late: list[ModelServer] = []

    def extent(self) -> str:
        """Words about how many of several servers the last call was done on."""
        count = len(self.members())
        return "" if count == 1 else f" on {count - len(self._without)} servers{self.without()}"

    def without(self) -> str:
        """Words about the servers that the last call went on without, or none."""
        named = ", ".join(f"{url} ({why})" for url, why in sorted(self._without.items()))
        return f"; without {named}" if named else ""

    # ---- telling ----

    def reload(self, config: pb.ModelServerConfig) -> None:
        """Gives all servers a configuration, and waits until they have taken it.

        Raises:
            ServingError: none of them can be told, or one refuses.
            Refused: one listens, and does not follow.
        """
        members = self.members()
        if len(members) == 1:
            members[0].reload(config)
            return
        otherwise = f"Not every server took the configuration within {FOLLOW_SECONDS:g} s"
        self._wait(lambda server: server.bring_to(config), FOLLOW_SECONDS, otherwise, asks_all=True)

    def reload_at_once(self, config: pb.ModelServerConfig) -> None:
        """Gives all servers a configuration; one that is dead, late or behind is left behind.

        Raises:
            ServingError: none of them can be told.
        """
        members = self.members()
        if len(members) == 1:
            members[0].reload(config)
            return
        self._tell_at_once(config, members)

    def bring(self, config: pb.ModelServerConfig) -> dict[str, str]:
        """Gives each server a configuration, or the nearest that it takes now, and waits for none.

        Returns:
            Words about those that have not taken all of it, by URL.

        Raises:
            ServingError: none of them can be told.
        """
        found = each(lambda server: server.bring_to(config, _URGENT_SECONDS), self.members())
        return {server.url: str(x) for server, x in some(found).items() if x is not None}

    def tell_late(self, config: pb.ModelServerConfig) -> None:
        """Tells those again that `reload_at_once` left behind although they listen, for a while."""
        deadline = time.monotonic() + LATE_SECONDS
        while self._late and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            self._tell_at_once(config, self._late)

    def _tell_at_once(self, config: pb.ModelServerConfig, servers: Collection[ModelServer]) -> None:
        found = each(lambda server: server.bring_to(config, _URGENT_SECONDS), servers)
        if len(servers) == len(self.members()):
            some(found)
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
        """Has all servers load a version, the first of them before the others are told.

        What ends a server while it loads should end one, not all. A server that looks at the file
        by itself may begin meanwhile.

        Args:
            config: names the version; the file that servers look at does, too.
            version: what is loaded.
            beside: a version that must go on serving, or None.
            watched: the servers on which it does.
            seconds: how long each of the two waits may take.

        Raises:
            Lost: `beside` does not serve any more, or its server is silent.
            Refused: the version cannot be loaded, or is not within the time.
            ServingError: no server can be told, or one refuses.
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
            Refused: the version cannot be loaded, or is not within the time.
        """
        one = len(self.members()) == 1
        self._wait_until_loaded(Loading(version, one=one), seconds)

    def wait_until_gone(self, version: int, seconds: float) -> None:
        """Waits until a version is unloaded, which its last request delays.

        Raises:
            Refused: it is not within the time.
        """
        self._wait(unloaded(version), seconds, f"It was not unloaded within {seconds:g} s")

    def _answering(self) -> list[ModelServer]:
        return list(answers(some(each(ModelServer.states, self.members()))))

    def _wait_until_loaded(
        self, loading: Loading, seconds: float, only: Sequence[ModelServer] = ()
    ) -> None:
        otherwise = f"It was not AVAILABLE within {seconds:g} s"
        self._wait(loading, seconds, otherwise, only=only)

    def _wait(
        self,
        look: Look,
        seconds: float,
        otherwise: str,
        *,
        only: Sequence[ModelServer] = (),
        asks_all: bool = False,
    ) -> None:
        """Looks at the servers until each is where it should be, also through a restart.

        Raises:
            Lost: see `Loading`.
            Refused: the time is over.
            ServingError: none is there at the beginning, where `asks_all`; or one refuses.
        """
        began, wait = time.monotonic(), Wait(self._gone)
        told = began
        while True:
            members = only or self.members()
            found = each(look, [server for server in members if server not in wait.done])
            if asks_all and not wait.done:
                some(found)
            wait.take(found)
            keep = look.watched if isinstance(look, Loading) else ()
            if isinstance(look, Loading):
                look.require_beside(members)
            many = len(members) > 1
            self._without = wait.left(members, self._patience, keep) if many else {}
            late = [s for s in members if s not in wait.done and s.url not in self._without]
            if not late:
                return
            now = time.monotonic()
            holding = wait.holding(late) if many else late
            if holding and now - began >= seconds:
                raise Refused(f"{otherwise}: {wait.words(holding)}.")
            if many and now - told >= _TELL_SECONDS:
                told = now
                self._say(f"  waiting for {len(late)} of {len(members)}: {wait.words(late)}")
            time.sleep(max(_LOOK_SECONDS, len(late) * _LOOK_SECONDS_EACH))
