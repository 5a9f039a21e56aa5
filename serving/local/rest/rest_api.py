"""The REST API: passes requests to the data plane, and converts answers and errors to JSON.

A path must match as a whole, with its query and before percent-decoding; fixed parts match in any
case, verbs in lower case only (recorded cases 231 to 264). Then model and label are decoded.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.inference.classify_regress import infer
from serving.local.inference.dataplane import DataPlane, Served
from serving.local.inference.predict import predict
from serving.local.lifecycle import config_files
from serving.local.lifecycle.storage import INT64
from serving.local.lifecycle.versions import Choice
from serving.local.metrics import CONTENT_TYPE, Metrics
from serving.local.rest import json_replies
from serving.local.rest.hosts import AllowedHosts
from serving.local.rest.json_bodies import read_examples, read_predict
from serving.local.rest.request import HttpError, Request
from serving.local.settings import Settings
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD, REGRESS_METHOD

log = logging.getLogger(__name__)

HTML = "text/html"
PREFLIGHT = "text/html; charset=ISO-8859-1"
CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
METHODS = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}

_decoded = functools.partial(unquote, errors="surrogateescape")

_CHOICE = r"(?:/versions/(?P<version>[0-9]{1,4000})|/labels/(?P<label>[^/:]+))?"
_PATH = re.compile(
    rf"/v1/models/(?P<model>[^/:]+){_CHOICE}"
    r"(?::(?P<verb>(?-i:predict|classify|regress))|(?P<metadata>/metadata))?",
    re.IGNORECASE,
)

_HTTP_STATUS = {
    Code.CANCELLED: 499, Code.INVALID_ARGUMENT: 400, Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400, Code.UNAUTHENTICATED: 401, Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404, Code.ALREADY_EXISTS: 409, Code.ABORTED: 409, Code.RESOURCE_EXHAUSTED: 429,
    Code.UNIMPLEMENTED: 501, Code.UNAVAILABLE: 503, Code.DEADLINE_EXCEEDED: 504,
}  # fmt: skip


class Reply(NamedTuple):
    """An HTTP reply, without the headers of the connection."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


class RestApi:
    """Answers requests below `/v1/`, and for the metrics."""

    def __init__(self, plane: DataPlane, metrics: Metrics, settings: Settings) -> None:
        """Stores the parts; raises `StatusError` if the file that enables metrics is invalid."""
        self._plane = plane
        self._metrics = metrics
        self._cors = settings.rest_api_enable_cors_support
        self._hosts = AllowedHosts(settings.allowed_hosts, settings.host)
        self._metrics_path = config_files.metrics_path(settings)

    def check_head(self, request: Request) -> None:
        """Refuses a request before its body arrives, with `HttpError` 501, 404 or 403."""
        if request.method not in METHODS:
            raise HttpError(501, "Not Implemented")
        if request.path[:4].lower() != "/v1/" and not self._is_metrics(request.path):
            raise HttpError(404, "Not Found")
        if not self._cors:
            self._hosts.require(request)

    def end_early(self, request: Request, code: Code) -> None:
        """Frees an incomplete body, and counts its request if that is for a model."""
        request.body.release()
        if match := _PATH.fullmatch(request.path):
            self._metrics.outcome(_decoded(match["model"]), code)

    def handle(self, request: Request) -> Reply:
        """Answers a request whose body is complete; never raises."""
        try:
            if self._is_metrics(request.path):
                return self._page(request.path)
            reply = self._dispatch(request)
        except Exception as error:
            reply = failure(error)
        return self.readable(reply)

    def readable(self, reply: Reply) -> Reply:
        """Adds the headers that let pages of other origins read a reply of the API."""
        cors = CORS_HEADERS if self._cors and reply.content_type != HTML else {}
        return reply._replace(headers={**reply.headers, **cors})

    def _is_metrics(self, path: str) -> bool:
        return bool(self._metrics_path) and path.partition("?")[0] == self._metrics_path

    def _page(self, path: str) -> Reply:
        """Returns the metrics, for any method but not with a query (recorded cases 720 to 729)."""
        if path == self._metrics_path:
            return Reply(200, self._metrics.page(), CONTENT_TYPE)
        text = f"Unexpected path: {path}. Should be {self._metrics_path}"
        return Reply(400, text.encode("latin-1", "replace"), CONTENT_TYPE)

    def _dispatch(self, request: Request) -> Reply:
        if request.method == "OPTIONS":
            known = request.headers.get("Origin", "").startswith(("http://", "https://"))
            return Reply(200 if known else 400, b"", PREFLIGHT)
        match = _PATH.fullmatch(request.path)
        if match is None or request.method != ("POST" if match["verb"] else "GET"):
            raise invalid_argument(f"Malformed request: {request.method} {request.path}")
        choice, verb = _choice(match), match["verb"] or ""
        with self._metrics.request(choice.model, verb, "REST"):
            if not verb and not match["metadata"]:
                states = self._plane.versions.statuses(choice.model, choice.version)
                return Reply(200, json_replies.status(states))
            request.deadline.require()
            with self._plane.lease(choice) as served:
                return Reply(200, _answer(served, verb, request))


def _answer(served: Served, verb: str, request: Request) -> bytes:
    if not verb:
        return json_replies.metadata(served.model, served.version, served.signatures)
    if verb == "predict":
        name, inputs, row_form = read_predict(request, served.signatures)
        outputs = predict(served, name, inputs, deadline=request.deadline)
        return json_replies.predictions(outputs, row_form=row_form)
    name, examples = read_examples(request)
    task = pb.InferenceTask(method_name=CLASSIFY_METHOD if verb == "classify" else REGRESS_METHOD)
    task.model_spec.signature_name = name
    (result,) = infer(served, [task], examples, request.deadline)
    return json_replies.results(result)


def failure(error: Exception) -> Reply:
    """Returns the reply to a failed request: the only place where errors become statuses."""
    if not isinstance(error, (StatusError, UnicodeEncodeError)):
        log.error("A REST request failed", exc_info=error)
    known = StatusError.of(error)
    status = error.status if isinstance(error, HttpError) else _HTTP_STATUS.get(known.code, 500)
    if isinstance(error, HttpError) and status in (404, 501):
        return Reply(status, f"<h1>{known.message}</h1>\n".encode(), HTML)
    headers = {"Retry-After": "1"} if status == 503 else {}
    return Reply(status, json_replies.error(known.message), headers=headers)


def _choice(match: re.Match[str]) -> Choice:
    version, label = match["version"], match["label"]
    number = int(version) if version else None
    if version and number not in INT64:
        raise invalid_argument(f"Expected a version of at most 64 bits. Received: {version[:40]}")
    return Choice(_decoded(match["model"]), number, label and _decoded(label))
