"""Turns all errors into replies: RFC 9457 problem details, or a page."""

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from serving import tracing
from serving.client import DeadlineExceeded, NotServed, ServingError, Unavailable
from webapp.decoding.pool import Busy, TooSlow
from webapp.imaging.errors import BadImage, TooCostly, TooManyPixels, UnsupportedImage
from webapp.inference.classifier import ClassifiedPhotos, NotDecoded
from webapp.telemetry.metrics import Metrics
from webapp.uploads.memory_budget import RETRY_SECONDS
from webapp.views.pages import prefers_html, problem_page

_log = logging.getLogger("webapp")

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": str(RETRY_SECONDS)}

_BAD_IMAGE: dict[type[Exception], int] = {
    BadImage: 400,
    TooManyPixels: 413,
    TooCostly: 413,
    UnsupportedImage: 415,
}
_SERVING_ERROR: dict[type[Exception], tuple[int, str]] = {
    Unavailable: (503, "The model server is not ready. Please try again in a moment."),
    NotServed: (503, "The model is not being served yet. Please try again in a moment."),
    DeadlineExceeded: (504, "The answer took too long. Please try again."),
    ServingError: (502, "The model server gave an answer that cannot be used."),
}
_T = TypeVar("_T")


def describe(status: int, detail: str) -> dict[str, Any]:
    """Return the members of a problem (RFC 9457, section 3)."""
    title = HTTP_STATUS_CODES[status]
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


def init_app(app: Flask) -> None:
    """Make all errors of `app`, even unexpected ones, produce replies of the same form."""
    app.register_error_handler(BadImage, _bad_picture)
    app.register_error_handler(TooSlow, _bad_picture)
    app.register_error_handler(Busy, _bad_picture)
    app.register_error_handler(ServingError, _serving_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def add_errors(reply: ClassifiedPhotos) -> None:
    """Add a problem to each prediction whose picture could not be read, and count the problem."""
    metrics: Metrics = current_app.extensions["metrics"]
    for place, error in reply.errors.items():
        reply.predictions[place]["error"] = describe(*_of_picture(error))
        metrics.rejections.labels(type(error).__name__).inc()


def _of_picture(error: NotDecoded) -> tuple[int, str]:
    if isinstance(error, Busy):
        return 503, f"{error} Please try again in a moment."
    if isinstance(error, TooSlow):
        return 504, f"{error} Please send fewer or smaller ones."
    return _nearest(_BAD_IMAGE, error), str(error)


def _bad_picture(error: NotDecoded) -> ResponseReturnValue:
    status, detail = _of_picture(error)
    if isinstance(error, Busy):
        return _problem(error, status, detail, RETRY_AFTER)
    return _problem(error, status, detail, filename=g.get("filename"))


def _serving_error(error: ServingError) -> ResponseReturnValue:
    g.reason = str(error)
    asked = [
        f"{name} {request.args[name]}" for name in ("version", "label") if name in request.args
    ]
    if isinstance(error, NotServed) and asked:
        return _problem(error, 404, f"The model is not served as {asked[0]}.")
    status, detail = _nearest(_SERVING_ERROR, error)
    return _problem(error, status, detail, RETRY_AFTER if status == 503 else {})


def _http_error(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error
    kept = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return _problem(error, status, error.description or "", kept)


def _unexpected(error: Exception) -> ResponseReturnValue:
    _log.error("unexpected error", exc_info=error)
    return _problem(error, 500, "Something went wrong here; it is not your picture's fault.")


def _problem(
    error: Exception,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    filename: str | None = None,
) -> Response:
    metrics: Metrics = current_app.extensions["metrics"]
    g.problem = type(error).__name__
    metrics.rejections.labels(g.problem).inc()
    if prefers_html():
        return Response(problem_page(describe(status, detail), filename), status, headers)
    problem = describe(status, f"{filename}: {detail}" if filename else detail)
    trace = tracing.carried_id()
    if trace is not None:
        problem["trace_id"] = trace
    return Response(jsonify(problem).data, status, headers, content_type=CONTENT_TYPE)


def _nearest(table: Mapping[type[Exception], _T], error: Exception) -> _T:
    return next(table[kind] for kind in type(error).__mro__ if kind in table)
