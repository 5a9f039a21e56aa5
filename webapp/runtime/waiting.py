"""The connections that wait in the poller without a thread, and which of them to close first.

With too many connections, the oldest is closed. If their bodies take too much memory, the client
that uses most of the memory loses the connection that has been silent for longest.
"""

import selectors
from collections import Counter
from collections.abc import Callable, Iterator

from webapp.runtime.connection import Connection
from webapp.views.clients import network


class WaitingConnections:
    """Connections that wait for a request, for the rest of one, or for a refused upload to end.

    Only the poller's thread may use this object.
    """

    def __init__(self, poller: selectors.BaseSelector) -> None:
        self._poller = poller
        self._oldest_first: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._oldest_first)

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over all connections, oldest first; they may be removed meanwhile."""
        return iter(list(self._oldest_first))

    def add(self, conn: Connection, callback: Callable[[Connection], None]) -> None:
        """Call `callback` whenever bytes arrive, until the connection is removed."""

        def on_event(_: object) -> None:
            # An earlier event of the same poll may have closed the connection.
            if conn in self._oldest_first:
                callback(conn)

        self._oldest_first[conn] = None
        self._poller.register(conn.sock, selectors.EVENT_READ, on_event)

    def remove(self, conn: Connection) -> None:
        """Stop waiting for the connection without closing it."""
        del self._oldest_first[conn]
        self._poller.unregister(conn.sock)

    def requeue(self, conn: Connection) -> None:
        """Make the connection the youngest, because part of its request has arrived."""
        self._oldest_first[conn] = self._oldest_first.pop(conn)

    def oldest(self) -> Connection | None:
        """Return the connection that has waited longest, or None."""
        return next(iter(self._oldest_first), None)

    def stalest_body(self) -> Connection:
        """Return the longest-silent upload of the client whose bodies take most memory.

        At least one body must be arriving.
        """
        bodies = [conn for conn in self._oldest_first if conn.is_receiving_body]
        held = Counter[str]()
        for conn in bodies:
            held[network(conn.client[0])] += len(conn.received)
        [(largest, _)] = held.most_common(1)
        its_own = [conn for conn in bodies if network(conn.client[0]) == largest]
        return min(its_own, key=lambda conn: conn.deadline)
