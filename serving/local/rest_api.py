"""The REST skin: paths and bodies to the data plane, answers and errors to JSON.

Paths match as a whole, query included and percent signs as sent; the fixed parts in any case, the
verb as written (recorded cases 231 to 264). Only then a model's name and a label are decoded.
Nothing here knows of sockets.
"""

from __future__ import annotations

import logging
import re
from typing import NamedTuple
from urllib.parse import unquote

from serving.local import json_replies
from serving.local.dataplane import DataPlane
from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.inference import Task
from serving.local.json_examples import read_examples, results
from serving.local.json_predict import PredictBody
from serving.local.metrics import CONTENT_TYPE, Metrics
from serving.local.storage import INT64
from serving.local.versions import Choice
from serving.wire.methods import DEFAULT_SIGNATURE

log = logging.getLogger(__name__)

JSON = "application/json"
PREFLIGHT = "text/html; charset=ISO-8859-1"
CORS_HEADERS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "POST, GET"),
    ("Access-Control-Allow-Headers", "Content-Type"),
)

_CHOICE = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(rf"/v1/models/(?P<model>[^/:]+){_CHOICE}:(?P<verb>\w+)", re.IGNORECASE)
_GET = re.compile(
    rf"/v1/models(?:/(?P<model>[^/:]+))?{_CHOICE}(?P<metadata>/metadata)?", re.IGNORECASE
)
_ORIGIN = re.compile(r"https?://")
_VERBS = ("predict", "classify", "regress")

_HTTP_STATUS = {
    Code.OK: 200, Code.CANCELLED: 499, Code.INVALID_ARGUMENT: 400, Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400, Code.UNAUTHENTICATED: 401, Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404, Code.ALREADY_EXISTS: 409, Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429, Code.UNIMPLEMENTED: 501, Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}  # fmt: skip


class Reply(NamedTuple):
    """An HTTP reply, headers of the connection aside."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class RestApi:
    """Answers requests below `/v1/`."""

    def __init__(
        self,
        plane: DataPlane,
        metrics: Metrics,
        *,
        timeout_ms: int,
        cors: bool = False,
        metrics_path: str = "",
    ) -> None:
        """Binds the API to what it asks.

        Args:
            plane: answers requests.
            metrics: counts them.
            timeout_ms: milliseconds for a run; 0 for no limit.
            cors: whether every reply has CORS headers.
            metrics_path: where the metrics are; empty for nowhere.
        """
        self._plane = plane
        self._metrics = metrics
        self._timeout_ms = timeout_ms
        self._headers = CORS_HEADERS if cors else ()
        self._metrics_path = metrics_path

    def serves(self, path: str) -> bool:
        """Whether a path is an API path at all; others get a plain 404 page."""
        return path[:4].lower() == "/v1/" or self._is_metrics(path)

    def handle(self, method: str, path: str, body: bytes, origin: str = "") -> Reply:
        """Answers one request; never raises.

        Args:
            method: as sent, upper case.
            path: as sent, percent-encoded, with its query.
            body: opened, where it came compressed.
            origin: the `Origin` header.
        """
        headers = () if self._is_metrics(path) else self._headers
        return self._answer(method, path, body, origin)._replace(headers=headers)

    def _answer(self, method: str, path: str, body: bytes, origin: str) -> Reply:
        try:
            if self._is_metrics(path):
                return self._page(path)
            return self._dispatch(method, path, body, origin)
        except StatusError as error:
            return _refusal(error)
        except RecursionError:
            return _refusal(invalid_argument("JSON Parse error: nested too deeply"))
        except Exception as error:
            log.exception("Answering %s %s failed", method, path)
            return _refusal(StatusError(Code.INTERNAL, f"{type(error).__name__}: {error}"))

    def _is_metrics(self, path: str) -> bool:
        return bool(self._metrics_path) and path.partition("?")[0] == self._metrics_path

    def _page(self, path: str) -> Reply:
        """The metrics, for any method, but not with a query (recorded cases 720 to 729)."""
        if path == self._metrics_path:
            return Reply(200, self._metrics.page(), CONTENT_TYPE)
        text = f"Unexpected path: {path}. Should be {self._metrics_path}"
        return Reply(400, text.encode("utf-8", "surrogateescape"), CONTENT_TYPE)

    def _dispatch(self, method: str, path: str, body: bytes, origin: str) -> Reply:
        if method == "OPTIONS":
            return Reply(200 if _ORIGIN.match(origin) else 400, b"", PREFLIGHT)
        post = _POST.fullmatch(path) if method == "POST" else None
        get = _GET.fullmatch(path) if method == "GET" else None
        if post and post["verb"] in _VERBS:
            return self._post(post, body)
        if get:
            return self._get(get)
        raise invalid_argument(f"Malformed request: {method} {path}")

    def _post(self, match: re.Match[str], body: bytes) -> Reply:
        if not _fits_int64(match["version"]):
            return Reply(400, b"")
        with self._metrics.request(_decoded(match["model"]), match["verb"], "REST"):
            run = self._predict if match["verb"] == "predict" else self._infer
            return run(match, body)

    def _predict(self, match: re.Match[str], body: bytes) -> Reply:
        request = PredictBody(body)
        answer = self._plane.predict(_choice(match), request.call, self._timeout_ms)
        return Reply(200, json_replies.predictions(answer.outputs, row_form=request.row_form))

    def _infer(self, match: re.Match[str], body: bytes) -> Reply:
        signature_name, examples = read_examples(body)
        task = Task(f"tensorflow/serving/{match['verb']}", signature_name or DEFAULT_SIGNATURE)
        _, (result,) = self._plane.infer(_choice(match), [task], examples, self._timeout_ms)
        return Reply(200, results(result))

    def _get(self, match: re.Match[str]) -> Reply:
        if not _fits_int64(match["version"]):
            return Reply(400, b"")
        if match["model"] is None:
            raise invalid_argument("Missing model name in request.")
        with self._metrics.request(_decoded(match["model"]), "", "REST"):
            return self._describe(match)

    def _describe(self, match: re.Match[str]) -> Reply:
        choice = _choice(match)
        if match["metadata"]:
            version, signatures = self._plane.metadata(choice)
            return Reply(200, json_replies.metadata(choice.model, version, signatures))
        versions = self._plane.status(choice.model, choice.version)
        return Reply(200, json_replies.status(versions))


def _choice(match: re.Match[str]) -> Choice:
    label = match["label"]
    decoded = None if label is None else _decoded(label)
    return Choice(_decoded(match["model"]), _number(match["version"]), decoded)


def _decoded(part: str) -> str:
    return unquote(part, errors="surrogateescape")


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _fits_int64(text: str | None) -> bool:
    return text is None or (len(text) < 4000 and int(text) in INT64)


def _refusal(error: StatusError) -> Reply:
    return Reply(_HTTP_STATUS.get(error.code, 500), json_replies.error(error.message))
