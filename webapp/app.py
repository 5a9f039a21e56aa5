"""The application factory, which assembles the parts of the front end."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp.inference import traffic_split
from webapp.inference.calls import CallCounts
from webapp.inference.classifier import Classifier
from webapp.inference.counter import Counter
from webapp.inference.model import Model, connect_to
from webapp.inference.model_cards import ClassNames
from webapp.inference.shadow import Shadow
from webapp.settings import Settings
from webapp.telemetry import access_log, metrics, traces
from webapp.telemetry.metrics import Metrics
from webapp.views import api, feedback, headers, health, pages, problems


class _App(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        # No function here is a coroutine; Flask would check half a dozen of them for each request.
        return func


def create_app(settings: Settings) -> Flask:
    """Build the front end.

    Connecting is lazy: the application starts, and reports so on `/livez`, while the model server
    is still down. Call this function in the process that serves: gRPC does not survive a fork.

    Args:
        settings: Usually `Settings.from_env()`.

    Returns:
        A WSGI application. Its `extensions` hold `settings`, `model_server` (the client),
        `classifier`, `names` (the class names of each version), `metrics`, `places` (slots for
        photo requests, with a queue), `admission` (refuses photo requests under load), `budget`
        (the memory for request bodies), `traffic` (the traffic split of canaries), `feedback` (the
        folder of feedback photos, or None), `feedback_rate` (the feedback limit of a client) and
        `spans` (OpenTelemetry spans, or None).
    """
    app = _App(__name__)
    # Otherwise an address with `//` would be redirected to the address with a single slash, on the
    # host that the request's `Host` header names.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.max_bytes
    # Replies list probabilities in descending order.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["settings"] = settings
    app.extensions["model_server"] = connect_to(settings)
    for module in (pages, api, feedback, health, metrics):
        app.register_blueprint(module.blueprint)
    for part in (problems, headers, api, feedback, metrics, access_log, traces, traffic_split):
        part.init_app(app)
    counts: Metrics = app.extensions["metrics"]
    model = Model(settings, app.extensions["model_server"], _calls(counts, settings.model_name))
    if settings.proxies:
        # Without it Flask would take the last proxy's address and scheme for the client's.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies
        )
    counter = None
    if settings.counter:
        counter = Counter(settings, model.model_server, _calls(counts, settings.counter))
    shadow = Shadow(model, partial(counts.count_shadow, settings.model_name))
    names = app.extensions["names"] = ClassNames(settings.models)
    app.extensions["classifier"] = Classifier(model, shadow, counter, names)
    return app


def _calls(counts: Metrics, model: str) -> CallCounts:
    return CallCounts(partial(counts.count_call, model))
