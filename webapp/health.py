"""Is the process alive, and can it answer? Two questions with two addresses."""

from flask import Blueprint, Flask, current_app
from flask.typing import ResponseReturnValue

from serving.client import Client
from webapp.settings import Settings

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> ResponseReturnValue:
    """Say that the process runs, whatever the model server does."""
    return {"status": "alive"}


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Say that a photo sent now would be answered."""
    check_ready(current_app)
    return {"status": "ready"}


def check_ready(app: Flask) -> None:
    """Ask the model server whether it would answer for the model and label that we ask for.

    A status request takes no notice of labels, and answers while nothing is loaded; a request for
    the signatures is answered by a version that is AVAILABLE or not at all.

    Raises:
        ServingError: It cannot be reached, or `NotServed`: no such version is available.
    """
    settings: Settings = app.extensions["settings"]
    client: Client = app.extensions["model_server"]
    client.signatures(settings.model_name, label=settings.model_label or None)
