"""Health checks: `/livez`, whether the process runs, and `/readyz`, whether it can answer."""

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue

from webapp.inference.classifier import Classifier

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> ResponseReturnValue:
    """Report that the process runs, whatever the state of the model server."""
    return {"status": "alive"}


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Report that a photo sent now would be answered, and whether its bills would be counted."""
    classifier: Classifier = current_app.extensions["classifier"]
    classifier.check_ready()
    return {"status": "ready", "count": classifier.check_counter().to_json()}
