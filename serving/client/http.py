"""HTTP for the REST client: kept connections, one deadline for a whole call, JSON, errors."""

from __future__ import annotations

import json
import time
from typing import Any, TypeAlias

import requests
import requests.adapters
import urllib3.exceptions

from serving import tracing
from serving.client.interface import (
    CONNECT_SECONDS,
    UNKNOWN_LABEL,
    BadReply,
    DeadlineExceeded,
    InvalidRequest,
    NotServed,
    ServingError,
    Unavailable,
)
from serving.client.tls import Tls

_ERRORS: dict[int, type[ServingError]] = {
    400: InvalidRequest,
    404: NotServed,
    429: Unavailable,
    503: Unavailable,
    504: DeadlineExceeded,
}
# The errors of a kept connection that the server has closed in the meantime.
_STALE = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
_PIECE_BYTES = 2**16

_Request: TypeAlias = tuple[str, str, float, bytes | None]


class HttpConnections:
    """Connections to one server. Safe to use from many threads.

    A call is sent a second time only where its kept connection turns out to be closed.
    """

    def __init__(self, base_url: str, tls: Tls, count: int) -> None:
        """Keeps up to `count` connections; `base_url` is the beginning of all URLs."""
        self._base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False
        # Without files, `requests` trusts its bundled authorities and shows no certificate.
        if tls.ca:
            self._session.verify = str(tls.ca)
        if tls.cert and tls.key:
            self._session.cert = (str(tls.cert), str(tls.key))
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=count)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def call(self, method: str, path: str, deadline: float, body: bytes | None = None) -> Any:
        """Sends a request, and reads the JSON object of its reply.

        Args:
            method: GET or POST.
            path: the rest of the URL, after the base URL.
            deadline: for the whole call, on the clock of `time.monotonic`.
            body: the JSON of a POST.

        Raises:
            ServingError: one of its kinds.
        """
        request = (method, self._base_url + path, deadline, body)
        try:
            return _understand(*self._send_until_fresh(request))
        except urllib3.exceptions.ReadTimeoutError as error:
            raise DeadlineExceeded("No answer within the time given.") from error
        except urllib3.exceptions.HTTPError as error:
            raise BadReply(str(error)) from error
        except requests.RequestException as error:
            raise _unreachable(error, deadline) from error

    def _send_until_fresh(self, request: _Request) -> tuple[int, bytes]:
        try:
            return self._send(*request)
        except requests.ConnectionError as error:
            if not _is_stale(error):
                raise
            return self._send(*request)

    def _send(
        self, method: str, url: str, deadline: float, body: bytes | None
    ) -> tuple[int, bytes]:
        """Returns the status and the body of the reply."""
        left = _left(deadline)
        with self._session.request(
            method,
            url,
            data=body,
            headers={"Content-Type": "application/json", **dict(tracing.carried())},
            timeout=(min(CONNECT_SECONDS, left), left),
            allow_redirects=False,
            stream=True,
        ) as reply:
            return reply.status_code, _read(reply, deadline)


def _read(reply: requests.Response, deadline: float) -> bytes:
    """Reads a body; a server that sends it slowly cannot exceed the deadline.

    `iter_content` would wait for a whole piece, which a server may send byte by byte.
    """
    pieces = []
    while piece := reply.raw.read1(_PIECE_BYTES, decode_content=True):
        _left(deadline)
        pieces.append(piece)
    return b"".join(pieces)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("No answer within the time given.")
    return left


def _is_stale(error: requests.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    if not isinstance(cause, urllib3.exceptions.ProtocolError):
        return False
    return any(isinstance(reason, _STALE) for reason in cause.args)


def _unreachable(error: requests.RequestException, deadline: float) -> ServingError:
    late = time.monotonic() >= deadline
    if isinstance(error, requests.ReadTimeout) or (isinstance(error, requests.Timeout) and late):
        return DeadlineExceeded("No answer within the time given.")
    if isinstance(error, requests.ConnectionError):
        # A body that stalls is reported by requests as a connection error.
        return DeadlineExceeded(str(error)) if late else Unavailable(_reason(error))
    return BadReply(str(error))


def _reason(error: requests.ConnectionError) -> str:
    """Returns the cause of an error, without the pool and the retries that `requests` mentions."""
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", None) or cause)


def _understand(status: int, content: bytes) -> Any:
    try:
        reply = json.loads(content.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        reply = None
    if status == 200 and isinstance(reply, dict):
        return reply
    if not isinstance(reply, dict) or not isinstance(reply.get("error"), str):
        kind = _ERRORS.get(status, BadReply) if status in (429, 503, 504) else BadReply
        raise kind(f"HTTP {status} with an unexpected body: {content[:200]!r}")
    message = reply["error"]
    if message.startswith(UNKNOWN_LABEL):
        raise NotServed(message)
    raise _ERRORS.get(status, BadReply)(message)
