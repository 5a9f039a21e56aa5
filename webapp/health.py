"""Is the process alive, and can it answer? Two questions with two addresses."""

from flask import Blueprint, Flask, current_app
from flask.typing import ResponseReturnValue

from serving.client import Client, Unavailable
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
    """Ask the model server whether a version of the model is available.

    A status request cannot ask for a label, so any available version counts.

    Raises:
        ServingError: It cannot be reached, or `Unavailable`: no version is available.
    """
    settings: Settings = app.extensions["settings"]
    client: Client = app.extensions["model_server"]
    versions = client.status(settings.model_name)
    if not any(version.state == "AVAILABLE" for version in versions):
        raise Unavailable(f"No version of {settings.model_name} is available.")
