"""What a wait for several servers knows: which are there, which are done, which may be left."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from serving.client import ServingError, VersionStatus
from serving.rollout.errors import Refused
from serving.rollout.remote.server import AWAY, ModelServer, is_gone, serves

Look = Callable[[ModelServer], str | None]
"""Returns None once a server is where it should be, else words about what it is at."""

_GONE_SECONDS = 0.3
_SILENT_SECONDS = 10.0
_STALE_SECONDS = 3.0
_MOST_NAMED = 5


class Lost(Refused):
    """A version that served does so no longer, most often since its server's process ended."""


class Wait:
    """The servers that a step waits for."""

    def __init__(self, gone: dict[ModelServer, float]) -> None:
        """Begins with none.

        Args:
            gone: since when nobody has listened on a server; kept up to date, since a later wait of
                the same command should not be patient anew.
        """
        self.done: set[ModelServer] = set()
        self._gone = gone
        self._words: dict[ModelServer, str] = {}

    def take(self, found: Mapping[ModelServer, str | ServingError | None]) -> None:
        """Learns what a look at some servers gave.

        Raises:
            ServingError: one answered with an error that waiting does not mend.
        """
        for server, answer in found.items():
            if isinstance(answer, ServingError) and not isinstance(answer, AWAY):
                raise type(answer)(f"{server.url}: {answer}") from answer
            if isinstance(answer, ServingError) and is_gone(answer):
                self._gone.setdefault(server, time.monotonic())
            else:
                self._gone.pop(server, None)
            self._words[server] = str(answer)
            if answer is None:
                self.done.add(server)

    def left(
        self, members: Collection[ModelServer], patience: float, keep: Collection[ModelServer] = ()
    ) -> dict[str, str]:
        """The servers that patience is over for, and why; where nobody listens it never is."""
        now = time.monotonic()
        if all(server in self._gone for server in members):
            return {}
        return {
            server.url: self._words[server]
            for server in members
            if server not in self.done
            and server not in keep
            and now - self._gone.get(server, now) >= patience
        }

    def holding(self, late: Sequence[ModelServer]) -> Sequence[ModelServer]:
        """Those that hold a step up: where some listen, not those that patience is for."""
        listening = [server for server in late if server not in self._gone]
        return listening if listening or self.done else late

    def words(self, servers: Collection[ModelServer]) -> str:
        """What servers were last seen at."""
        said = [self._words[server] for server in servers]
        if len(said) > 1 or len(self._words) > 1:
            said = [f"{server.url}: {self._words[server]}" for server in servers]
        more = f" and {len(said) - _MOST_NAMED} more" if len(said) > _MOST_NAMED else ""
        return "; ".join(said[:_MOST_NAMED]) + more


class Loading:
    """Looks whether a version serves; a version that served before must go on doing so."""

    def __init__(
        self,
        version: int,
        beside: int | None = None,
        watched: Collection[ModelServer] = (),
        tolerated: float = 0.0,
        *,
        one: bool = True,
    ) -> None:
        """Begins to watch.

        Args:
            version: what is loaded.
            beside: the version that serves.
            watched: the servers on which it does.
            tolerated: seconds that a single server of many may be away; 0 where all matter.
            one: whether there is a single server, which errors need not name.
        """
        self._version, self._beside, self._tolerated = version, beside, tolerated
        self._one = one
        self._bearable = max(1, len(watched) // 10) if tolerated else 0
        # What is said of an earlier load stays until a server has looked at the disk again.
        self._believed = time.monotonic() + _STALE_SECONDS
        self._watched = set(watched)
        self._missed: dict[ModelServer, float] = {}
        self._patience: dict[ModelServer, float] = {}
        self._last: dict[ModelServer, str] = {}

    @property
    def watched(self) -> Collection[ModelServer]:
        """The servers that may lose the version that serves."""
        return self._watched

    def __call__(self, server: ModelServer) -> str | None:
        """See `Look`.

        Raises:
            Refused: the version cannot be loaded.
        """
        try:
            states = server.states()
        except AWAY as error:
            self._patience[server] = _GONE_SECONDS if is_gone(error) else _SILENT_SECONDS
            self._missed.setdefault(server, time.monotonic())
            self._last[server] = str(error)
            raise
        status = states.get(self._version)
        self._require_loadable(server, status)
        if serves(status):
            self._watched.discard(server)
            return None
        if serves(states.get(self._beside or 0)):
            self._missed.pop(server, None)
        else:
            self._missed.setdefault(server, time.monotonic())
        self._patience[server] = _GONE_SECONDS
        self._last[server] = f"its state is {status.state if status else 'unknown to the server'}"
        return self._last[server]

    def require_beside(self, members: Collection[ModelServer]) -> None:
        """Makes sure that servers do not end by loading.

        One of many may be lost for a while: servers end for other reasons, too.

        Raises:
            Lost: the version that served does so no longer.
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


def unloaded(version: int) -> Look:
    """Looks whether a version is gone, which its last request delays."""

    def look(server: ModelServer) -> str | None:
        status = server.states().get(version)
        return None if status is None or status.state == "END" else f"its state is {status.state}"

    return look
