"""The application factory: what the front end is made of, in one place."""

from io import BytesIO
from typing import IO

from flask import Flask, Request

from serving.client import connect
from webapp import api, headers, health, metrics, observe, pages, problems
from webapp.classifier import Classifier
from webapp.settings import Settings


class _InMemoryRequest(Request):
    def _get_file_stream(self, *_args: object, **_kwargs: object) -> IO[bytes]:
        # Werkzeug would spool large uploads to a temporary file; photos never touch the disk.
        return BytesIO()


def create_app(settings: Settings) -> Flask:
    """Build the front end.

    Connecting is lazy: the application starts, and says so on `/livez`, while the model server
    is still away. Call it in the process that serves, since gRPC does not survive a fork.

    Args:
        settings: Usually `Settings.from_env()`.

    Returns:
        A WSGI application. Its `extensions` hold `settings`, `model_server` (the client),
        `classifier`, `metrics`, `places` (how many more photo requests may come in) and `budget`
        (how many more bytes).
    """
    app = Flask(__name__)
    app.request_class = _InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = settings.max_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_bytes
    # Probabilities are sent most likely first.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["settings"] = settings
    app.extensions["model_server"] = connect(settings.model_server)
    app.extensions["classifier"] = Classifier(settings, app.extensions["model_server"])
    for module in (pages, api, health, metrics):
        app.register_blueprint(module.blueprint)
    for part in (problems, headers, api, metrics, observe):
        part.init_app(app)
    return app
