"""Headers of every response: the browser may load from this front end and nowhere else."""

from flask import Flask, Response
from flask_cors import CORS

from webapp.observe import ID_HEADER
from webapp.settings import Settings

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    # A photo is previewed from the browser's own memory, and comes back small beside its answer.
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
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}


def init_app(app: Flask) -> None:
    """Add the headers to every response of `app`, and let the sites in its settings ask."""
    app.after_request(_add)
    settings: Settings = app.extensions["settings"]
    if settings.cors_origins:
        CORS(
            app,
            origins=settings.cors_origins.split(),
            methods=["GET", "POST"],
            allow_headers=["Content-Type", ID_HEADER],
            expose_headers=[ID_HEADER, "Retry-After", "Server-Timing"],
            max_age=600,
        )


def _add(response: Response) -> Response:
    response.headers.extend(HEADERS)
    # Nothing is cached, so nothing is compared: a file's date, too, may be newer than that of the
    # version that replaces it.
    for name in ("ETag", "Last-Modified"):
        response.headers.pop(name, None)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
