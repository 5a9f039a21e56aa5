"""`POST /predict` returns one answer for each photo. `GET /openapi.json` describes the API."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, abort, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue

from serving.concurrency import FairSemaphore
from webapp.decoding.pool import Requester
from webapp.inference.classifier import ClassifiedPhotos, Classifier, Photo
from webapp.inference.model import PredictionRequest, version_number
from webapp.inference.traffic_split import TrafficFile, assign
from webapp.settings import Settings
from webapp.timings import Timings
from webapp.uploads.memory_budget import MemoryBudget
from webapp.uploads.photos import read_photos
from webapp.views.admission import Admission
from webapp.views.clients import network
from webapp.views.naming import add_said
from webapp.views.pages import PICTURE_SIZE, answer_page, prefers_html
from webapp.views.problems import add_errors

blueprint = Blueprint("api", __name__)

# Share of the timeout that a request may take by estimate; the rest covers estimation errors.
_ADMITTED_SHARE = 0.8
_DESCRIPTION: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "openapi.json").read_text(encoding="utf-8")
)


def init_app(app: Flask) -> None:
    """Add the places, the admission control and the memory budget to `app`."""
    settings: Settings = app.extensions["settings"]
    # Half of the threads may wait here; the others read bodies, serve pages and refuse requests.
    places = FairSemaphore(settings.at_once, settings.threads // 2)
    app.extensions["places"] = places
    app.extensions["admission"] = Admission(places, _ADMITTED_SHARE * settings.timeout)
    app.extensions["budget"] = MemoryBudget(settings.bytes_at_once)


@blueprint.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """Describe the API to machines."""
    return _DESCRIPTION


@blueprint.post("/predict")
def predict() -> ResponseReturnValue:
    """Read the value of the bill on each photo of the request, all in one batch."""
    parts, asked = current_app.extensions, request.args.to_dict()
    settings: Settings = parts["settings"]
    budget: MemoryBudget = parts["budget"]
    query = read_query(asked, settings)
    g.frames = _flag(asked, "frame")
    with budget.reserve(request.environ):
        # The body is read before the request takes a place: a slow upload must not hold one.
        photos = read_photos(settings)
        # A canary is chosen after the upload, during which a trial may have ended.
        if not asked.keys() & {"version", "label"}:
            traffic: TrafficFile = parts["traffic"]
            query = assign(query, traffic.current(), traffic.current(settings.counter))
        reply = g.reply = ask(photos, query)
        add_errors(reply)
        add_said(reply)
    # Only requests for the page ask for small copies of the photos.
    return answer_page(reply) if query.small else jsonify(reply.to_json())


def ask(photos: Sequence[Photo], query: PredictionRequest) -> ClassifiedPhotos:
    """Answer the photos of the current request, once the request has a place.

    Raises:
        TooManyRequests: Too many photos of other requests are waiting.
        BadImage, Busy, TooSlow, ServingError: See `Classifier.ask`.
    """
    parts = current_app.extensions
    settings: Settings = parts["settings"]
    classifier: Classifier = parts["classifier"]
    admission: Admission = parts["admission"]
    deadline = time.monotonic() + settings.timeout
    timings: Timings = g.timings
    # If none of the files is a picture, the problem names the first one.
    g.filename = photos[0].filename
    with admission.admit(len(photos), timings) as place:
        client = Requester(network(request.remote_addr), place)
        return classifier.ask(photos, query, deadline, timings, client)


def read_query(asked: Mapping[str, str], settings: Settings) -> PredictionRequest:
    """Convert the query of the current request to the version to ask and the requested outputs.

    Raises:
        HTTPException: 400 the query is invalid.
    """
    version, label = asked.get("version"), asked.get("label")
    how: dict[str, Any] = {
        "explain": _flag(asked, "explain"),
        "small": PICTURE_SIZE if prefers_html() else 0,
        "count": _flag(asked, "count", default="1"),
    }
    if version is not None and label is not None:
        abort(400, "Ask for a version or for a label, not for both.")
    if version is not None:
        return PredictionRequest(_version(version), None, **how)
    if label == "":
        abort(400, "`label` is empty. Expected the name of a version label.")
    return PredictionRequest(None, label or settings.model_label or None, **how)


def _version(text: str) -> int:
    try:
        return version_number(text)
    except ValueError as error:
        abort(400, str(error))


def _flag(asked: Mapping[str, str], name: str, default: str = "0") -> bool:
    value = asked.get(name, default)
    if value not in ("0", "1"):
        abort(400, f"Unrecognized {name}: {value!r}. Expected 0 or 1.")
    return value == "1"
