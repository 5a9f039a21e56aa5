"""A limit on the memory that all uploads take together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from werkzeug.exceptions import BadRequest, RequestTimeout, ServiceUnavailable
from werkzeug.wsgi import get_content_length

from serving.concurrency import ByteBudget

# Most copies of a body in memory simultaneously: read, parsed, passed to a decoder.
_COPIES = {"application/json": 5}
_COPIES_OF_OTHERS = 2
_SMALLEST, _LARGEST = 65_536, 1_048_576
RETRY_SECONDS = 2
"""`Retry-After` of a refusal whose cause soon passes."""
NO_ROOM = "Too many pictures are on their way at this moment. Please try again."
_NOTHING = memoryview(b"")


class MemoryBudget:
    """Bytes of memory that all request bodies may take together; safe to use from many threads.

    Bytes count once they have arrived. A client that announces a large body but sends little of it
    takes no memory from others.
    """

    def __init__(self, size: int) -> None:
        self._bytes = ByteBudget(size)
        self._early = ByteBudget(size // 2)

    @contextmanager
    def reserve(self, environ: dict[str, Any]) -> Iterator[None]:
        """Count the bytes read of a request's body against the budget until the block ends.

        Args:
            environ: The WSGI environment of the request.

        Raises:
            BadRequest: The body is malformed or ends too early. The `read` method of the body
                raises this error and the following ones.
            RequestTimeout: No bytes arrived for a while.
            ServiceUnavailable: The next piece would exceed the budget.
        """
        kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        copies = _COPIES.get(kind, _COPIES_OF_OTHERS)
        announced = get_content_length(environ) or 0
        body = environ["wsgi.input"]
        metered = environ["wsgi.input"] = _ReservingReader(body, self, copies, announced)
        try:
            yield
        finally:
            self._bytes.give_back(metered.taken)

    def take(self, count: int) -> None:
        """Take `count` bytes, or raise `ServiceUnavailable`."""
        if not self._bytes.take(count):
            raise ServiceUnavailable(NO_ROOM, retry_after=RETRY_SECONDS)

    def take_early(self, count: int) -> bool:
        """Take bytes for a body that no thread reads yet; such bodies may take half the budget."""
        if not self._early.take(count):
            return False
        if not self._bytes.take(count):
            self._early.give_back(count)
            return False
        return True

    def give_back_early(self, count: int) -> None:
        """Free bytes that `take_early` has taken."""
        self._early.give_back(count)
        self._bytes.give_back(count)


class _ReservingReader:
    """Reads ahead as many bytes as the body has had so far, 64 kB to 1 MB, for any requested size.

    Gunicorn copies all buffered bytes, up to a megabyte, for each piece that it returns, and
    Werkzeug reads pieces of 64 kB. A read at most doubles the bytes that the body has had.
    """

    def __init__(self, body: IO[bytes], budget: MemoryBudget, copies: int, announced: int) -> None:
        self._body = body
        self._budget = budget
        self._copies = copies
        self._announced = announced
        self._arrived = 0
        self._ahead = _NOTHING

    @property
    def taken(self) -> int:
        return self._arrived * self._copies

    def read(self, size: int) -> bytes:
        if not self._ahead:
            self._read_ahead()
        piece = bytes(self._ahead[:size])
        # An empty view of the bytes would keep them in memory while the request waits in a queue.
        self._ahead = self._ahead[size:] or _NOTHING
        return piece

    def _read_ahead(self) -> None:
        size = min(max(self._arrived, _SMALLEST), _LARGEST)
        if self._announced:
            # Flask's own server waits for bytes beyond the body, so PEP 3333 forbids to read there.
            size = min(size, self._announced - self._arrived)
        piece = self._receive(size)
        if not piece and self._arrived < self._announced:
            raise BadRequest("The upload is incomplete: its end is missing. Please send it again.")
        self._budget.take(len(piece) * self._copies)
        self._arrived += len(piece)
        self._ahead = memoryview(piece)

    def _receive(self, size: int) -> bytes:
        try:
            return self._body.read(size)
        except (BlockingIOError, TimeoutError) as error:
            raise RequestTimeout(
                "The picture did not arrive: nothing came for a while. Please send it again."
            ) from error
        # Any error of the server in reading the chunks of a body is the client's mistake.
        except Exception as error:
            raise BadRequest(f"The body of the request is malformed: {error}.") from error
