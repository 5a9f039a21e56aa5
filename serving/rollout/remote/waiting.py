"""The state of a wait for several servers: which listen, which are done, which may be left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from serving.client import ServingError, VersionStatus
from serving.rollout.errors import Refused
from serving.rollout.remote.server import TRANSIENT_ERRORS, ModelServer, is_gone, serves

ServerPoll = Callable[[ModelServer], str | None]
"""Returns None once a server is in the wanted state, else a text about its current state."""

_GONE_SECONDS = 0.3
_SILENT_SECONDS = 10.0
_STALE_SECONDS = 3.0
_MOST_NAMED = 5


class Lost(Refused):
    """A version that served has stopped serving, most often because its server's process ended."""


class Wait:
    """The servers that a step waits for."""

    def __init__(self, gone: dict[ModelServer, float]) -> None:
        """Starts with no server done.

        Args:
            gone: the times since which servers do not listen; updated here, so that a later wait
                of the same command does not grant them the full patience again.
        """
        self.done: set[ModelServer] = set()
        self._gone = gone
        self._words: dict[ModelServer, str] = {}

    def take(self, found: Mapping[ModelServer, str | ServingError | None]) -> None:
        """Records the results of polling some servers.

        Raises:
            ServingError: a server answered with an error that waiting does not fix.
        """
        for server, answer in found.items():
            if isinstance(answer, ServingError) and not isinstance(answer, TRANSIENT_ERRORS):
                raise type(answer)(f"{server.url}: {answer}") from answer
            if isinstance(answer, ServingError) and is_gone(answer):
                self._gone.setdefault(server, time.monotonic())
            else:
                self._gone.pop(server, None)
            self._words[server] = str(answer)
            if answer is None:
                self.done.add(server)

    def left_out(
        self, members: Collection[ModelServer], patience: float, keep: Collection[ModelServer] = ()
    ) -> dict[str, str]:
        """Returns the servers to go on without, and why; none while no server listens."""
        now = time.monotonic()
        if all(server in self._gone for server in members):
            return {}
        return {
            server.url: self._words[server]
            for server in members
            if server not in self.done
            and server not in keep
            and server in self._gone
            and now - self._gone[server] >= patience
        }

    def blocking(self, late: Sequence[ModelServer]) -> Sequence[ModelServer]:
        """Returns the servers that block a step: those that listen, or all if none is reachable."""
        listening = [server for server in late if server not in self._gone]
        return listening if listening or self.done else late

    def describe(self, servers: Collection[ModelServer]) -> str:
        """Describes the last known states of servers."""
        said = [self._words[server] for server in servers]
        if len(said) > 1 or len(self._words) > 1:
            said = [f"{server.url}: {self._words[server]}" for server in servers]
        more = f" and {len(said) - _MOST_NAMED} more" if len(said) > _MOST_NAMED else ""
        return "; ".join(said[:_MOST_NAMED]) + more


class Loading:
    """Checks whether a version serves; a version that served before must go on serving."""

    def __init__(
        self,
        version: int,
        beside: int | None = None,
        watched: Collection[ModelServer] = (),
        tolerated: float = 0.0,
        *,
        one: bool = True,
    ) -> None:
        """Starts to watch.

        Args:
            version: the version that is being loaded.
            beside: the version that already serves.
            watched: the servers on which `beside` serves.
            tolerated: seconds that a few servers of many may be away; 0 tolerates no loss.
            one: whether there is a single server, which errors need not name.
        """
        self._version, self._beside, self._tolerated = version, beside, tolerated
        self._one = one
        self._bearable = max(1, len(watched) // 10) if tolerated else 0
        # A server reports the result of an earlier load until it has polled the disk again.
        self._believed = time.monotonic() + _STALE_SECONDS
        self._watched = set(watched)
        self._missed: dict[ModelServer, float] = {}
        self._patience: dict[ModelServer, float] = {}
        self._last: dict[ModelServer, str] = {}

    @property
    def watched(self) -> Collection[ModelServer]:
        """The servers that must keep `beside` serving, since the new version does not serve yet."""
        return self._watched

    def __call__(self, server: ModelServer) -> str | None:
        """See `ServerPoll`.

        Raises:
            Refused: the version cannot be loaded.
        """
        try:
            states = server.states()
        except TRANSIENT_ERRORS as error:
            self._patience[server] = _GONE_SECONDS if is_gone(error) else _SILENT_SECONDS
            self._missed.setdefault(server, time.monotonic())
            self._last[server] = str(error)
            raise
        status = states.get(self._version)
        self._require_loadable(server, status)
        if serves(status):
            self._watched.discard(server)
            return None
        if self._beside is not None and serves(states.get(self._beside)):
            self._missed.pop(server, None)
        else:
            self._missed.setdefault(server, time.monotonic())
        self._patience[server] = _GONE_SECONDS
        self._last[server] = f"its state is {status.state if status else 'unknown to the server'}"
        return self._last[server]

    def require_beside(self, members: Collection[ModelServer]) -> None:
        """Makes sure that loading does not stop servers.

        A few of many may be away for a while, since servers also stop for other reasons.

        Raises:
            Lost: `beside` does not serve any more.
        """
        now = time.monotonic()
        away = {s: now - self._missed.get(s, now) for s in members if s in self._watched}
        lost = {s: t for s, t in away.items() if s in self._missed and t > self._patience[s]}
        if len(lost) > self._bearable or max(lost.values(), default=0.0) > self._tolerated:
            where = "" if self._one else f" on {', '.join(server.url for server in lost)}"
            words = next(self._last[server] for server in lost)
            raise Lost(f"Version {self._beside} stopped serving meanwhile{where}: {words}")

    def _require_loadable(self, server: ModelServer, status: VersionStatus | None) -> None:
        failed = status is not None and status.state == "END" and status.error_code != "OK"
        if status and failed and time.monotonic() > self._believed:
            where = "The server" if self._one else server.url
            raise Refused(f"{where} cannot load it: {status.error_message}")


def unloaded(version: int) -> ServerPoll:
    """Returns a check whether a version is unloaded, which happens after its last request."""

    def look(server: ModelServer) -> str | None:
        status = server.states().get(version)
        return None if status is None or status.state == "END" else f"its state is {status.state}"

    return look
