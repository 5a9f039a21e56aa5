"""`POST /predict`: photos in, one answer for each out."""

import threading
from typing import Any

import numpy as np
from flask import Blueprint, abort, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from serving.client import Client
from webapp.answers import read_answers
from webapp.preprocessing import BadImage, open_upright, to_tensor
from webapp.problems import prefers_html
from webapp.settings import Settings
from webapp.uploads import Photo, read_photos

blueprint = Blueprint("api", __name__)

_LARGEST_VERSION = 2**63 - 1
# A picture of 50 megapixels takes up to half a gigabyte while it is decoded, so few are at once.
_decoding = threading.BoundedSemaphore(2)


@blueprint.post("/predict")
def predict() -> ResponseReturnValue:
    """Read the value of the bill on each photo of the request, all in one batch."""
    settings: Settings = current_app.extensions["settings"]
    model_server: Client = current_app.extensions["model_server"]
    asked = _asked_version(settings)
    signature = _asked_signature()
    photos = read_photos(settings)
    batch = np.stack([_tensor(photo) for photo in photos])
    prediction = model_server.predict(
        settings.model_name,
        {"image": batch},
        signature=signature,
        timeout=settings.timeout,
        **asked,
    )
    model = {"name": settings.model_name, **asked}
    if prediction.version is not None:
        model["version"] = prediction.version
    answers = read_answers(prediction.outputs, [photo.filename for photo in photos])
    reply = {"model": model, "predictions": answers}
    return render_template("page.html", reply=reply) if prefers_html() else jsonify(reply)


def _asked_version(settings: Settings) -> dict[str, Any]:
    version, label = request.args.get("version"), request.args.get("label")
    if version is not None and label is not None:
        abort(400, "Ask for a version or for a label, not for both.")
    if version is not None:
        return {"version": _whole_number(version), "label": None}
    if label == "":
        abort(400, "`label` is empty. Expected the name of a version label.")
    return {"version": None, "label": label or settings.model_label or None}


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        abort(400, f"Unrecognized version: {text!r}. Expected a whole number.")
    if int(text) > _LARGEST_VERSION:
        abort(400, f"Unrecognized version: {text}. Expected at most {_LARGEST_VERSION}.")
    return int(text)


def _asked_signature() -> str:
    signatures = {"0": "serving_default", "1": "explain"}
    explain = request.args.get("explain", "0")
    if explain not in signatures:
        abort(400, f"Unrecognized explain: {explain!r}. Expected 0 or 1.")
    return signatures[explain]


def _tensor(photo: Photo) -> np.ndarray:
    try:
        with _decoding:
            return to_tensor(open_upright(photo.data))
    except BadImage as error:
        if photo.filename is None:
            raise
        raise type(error)(f"{photo.filename}: {error}") from error
