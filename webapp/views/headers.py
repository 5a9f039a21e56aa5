"""Headers of every response; they allow browsers to load resources only from this front end."""

import re

from flask import Flask, Response
from flask_cors import CORS

from serving.tracing import TRACEPARENT, TRACESTATE
from webapp.settings import Settings
from webapp.telemetry.access_log import ID_HEADER

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    # `blob:` is for the preview of a chosen photo, `data:` for its small copy next to the answer.
    "img-src": "'self' blob: data:",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With `no-referrer`, forms of this page would send `Origin: null`, as another site's can.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}


def init_app(app: Flask) -> None:
    """Add the headers to every response of `app`, and allow the origins of its settings (CORS)."""
    app.after_request(_add)
    settings: Settings = app.extensions["settings"]
    if settings.cors_origins:
        CORS(
            app,
            origins=_origins(settings),
            methods=["GET", "POST", "DELETE"],
            allow_headers=["Content-Type", ID_HEADER, TRACEPARENT, TRACESTATE],
            expose_headers=[ID_HEADER, "Retry-After", "Server-Timing"],
            max_age=600,
        )


def _origins(settings: Settings) -> str | list[re.Pattern[str]]:
    # Flask-CORS guesses whether a string is a pattern, and mistakes the brackets of an IPv6 address
    # for one; it does not guess for compiled patterns. It only matches at the start, hence the end.
    origins = settings.cors_origins.split()
    if "*" in origins:
        return "*"
    return [re.compile(rf"{re.escape(origin)}\Z") for origin in origins]


def _add(response: Response) -> Response:
    response.headers.extend(HEADERS)
    # Responses are not cached, so they need no validators. A file's date could also mislead: it may
    # be newer than the date of the version that replaces the file.
    for name in ("ETag", "Last-Modified"):
        response.headers.pop(name, None)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
