"""Earlier pages of `/metrics`, so that a reader can compute what was counted since."""

import logging
import time
from collections import deque
from collections.abc import Callable

_log = logging.getLogger("webapp")

EVERY_SECONDS = 10.0
LONGEST_SECONDS = 300.0


class MetricsHistory:
    """The pages of the last five minutes, some 10 kB each, one every ten seconds."""

    def __init__(self, take: Callable[[], bytes]) -> None:
        self._take = take
        self._pages: deque[tuple[float, bytes]] = deque(
            maxlen=int(LONGEST_SECONDS / EVERY_SECONDS) + 1
        )

    def keep(self) -> None:
        """Take pages regularly, for ever; the server runs this in a thread of each process."""
        while True:
            try:
                self._pages.append((time.monotonic(), self._take()))
            # Without this thread, all later figures would be those of no time at all.
            except Exception:
                _log.exception("the metrics of this moment cannot be kept")
            time.sleep(EVERY_SECONDS)

    def page(self, seconds: float) -> tuple[float, bytes]:
        """Return the age of the oldest page that is no older than `seconds`, and the page.

        If the front end started less than `seconds` ago, this is the page taken at its start.
        """
        now = time.monotonic()
        pages = [(now - then, page) for then, page in list(self._pages) if now - then <= seconds]
        return pages[0] if pages else (0.0, self._take())
