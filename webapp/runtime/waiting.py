"""The connections that wait in the poller, hold no thread, and make room where they are too many.

Of too many connections the oldest is closed. Where their bodies take too much memory, the client
with most of it loses the one that has been silent for longest.
"""

import selectors
from collections import Counter
from collections.abc import Callable, Iterator

from webapp.runtime.connection import Connection
from webapp.views.clients import network


class WaitingConnections:
    """Those that wait for a request, for the rest of one, or for the end of a refused upload.

    Used by the thread of the poller alone.
    """

    def __init__(self, poller: selectors.BaseSelector) -> None:
        self._poller = poller
        self._oldest_first: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._oldest_first)

    def __iter__(self) -> Iterator[Connection]:
        """All of them, oldest first; they may be removed meanwhile."""
        return iter(list(self._oldest_first))

    def add(self, conn: Connection, callback: Callable[[Connection], None]) -> None:
        """Have `callback` called whenever something comes, until the connection is removed."""

        def on_event(_: object) -> None:
            # An earlier event of the same turn may have closed it to make room.
            if conn in self._oldest_first:
                callback(conn)

        self._oldest_first[conn] = None
        self._poller.register(conn.sock, selectors.EVENT_READ, on_event)

    def remove(self, conn: Connection) -> None:
        """Wait for it no longer; it stays open."""
        del self._oldest_first[conn]
        self._poller.unregister(conn.sock)

    def requeue(self, conn: Connection) -> None:
        """Make it the youngest: something of its request has come."""
        self._oldest_first[conn] = self._oldest_first.pop(conn)

    def oldest(self) -> Connection | None:
        """The one that has waited longest, if any waits."""
        return next(iter(self._oldest_first), None)

    def stalest_body(self) -> Connection:
        """Of the client whose bodies take most memory, the one that was silent for longest.

        One body at least must be under way.
        """
        bodies = [conn for conn in self._oldest_first if conn.latest]
        held = Counter[str]()
        for conn in bodies:
            held[network(conn.client[0])] += len(conn.received)
        [(largest, _)] = held.most_common(1)
        its_own = [conn for conn in bodies if network(conn.client[0]) == largest]
        return min(its_own, key=lambda conn: conn.deadline)
