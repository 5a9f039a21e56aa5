"""The application factory: what the front end is made of, in one place."""

from collections.abc import Callable
from io import BytesIO
from typing import IO, Any

from flask import Flask, Request
from werkzeug.middleware.proxy_fix import ProxyFix

from serving.client import connect
from webapp import api, headers, health, metrics, observe, pages, problems, traffic
from webapp.classifier import Classifier
from webapp.metrics import Metrics
from webapp.model import Model
from webapp.settings import Settings
from webapp.shadow import Shadow


class _InMemoryRequest(Request):
    def _get_file_stream(self, *_args: object, **_kwargs: object) -> IO[bytes]:
        # Werkzeug would spool large uploads to a temporary file; photos never touch the disk.
        return BytesIO()


class _App(Flask):
    request_class = _InMemoryRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        # None of ours is a coroutine; Flask would look at half a dozen of them for each request.
        return func


def create_app(settings: Settings) -> Flask:
    """Build the front end.

    Connecting is lazy: the application starts, and says so on `/livez`, while the model server
    is still away. Call it in the process that serves, since gRPC does not survive a fork.

    Args:
        settings: Usually `Settings.from_env()`.

    Returns:
        A WSGI application. Its `extensions` hold `settings`, `model_server` (the client),
        `classifier`, `metrics`, `places` (for photo requests, with a line before them), `budget`
        (how many more bytes may come in) and `traffic` (the share of a version on trial).
    """
    app = _App(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_bytes
    # Probabilities are sent most likely first.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["settings"] = settings
    app.extensions["model_server"] = connect(settings.model_server)
    for module in (pages, api, health, metrics):
        app.register_blueprint(module.blueprint)
    for part in (problems, headers, api, metrics, observe, traffic):
        part.init_app(app)
    counts: Metrics = app.extensions["metrics"]
    model = Model(settings, app.extensions["model_server"], counts.count_call)
    if settings.proxies:
        # Else who asks, and whether over HTTPS, would be what the last proxy is and speaks.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies
        )
    app.extensions["classifier"] = Classifier(model, Shadow(model, counts.count_shadow))
    return app
