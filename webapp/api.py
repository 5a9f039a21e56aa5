"""`POST /predict`: photos in, one answer for each out. `GET /openapi.json` describes all of it."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, abort, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import TooManyRequests

from serving.places import Places
from webapp.budget import Budget
from webapp.classifier import Classifier
from webapp.model import Question
from webapp.pages import PICTURE_SIZE, answer_page, prefers_html
from webapp.settings import Settings
from webapp.stages import Stages
from webapp.traffic import TrafficFile, assign
from webapp.uploads import read_photos

blueprint = Blueprint("api", __name__)

_LARGEST_VERSION = 2**63 - 1
# The share of a request's time that may go by before it has a place; the rest is for its answer.
_LONGEST_WAIT = 0.8
_DESCRIPTION: dict[str, Any] = json.loads(
    Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")
)


def init_app(app: Flask) -> None:
    """Give `app` its places and its memory: who comes when all is taken is turned away."""
    settings: Settings = app.extensions["settings"]
    # The other half of the threads is for bodies still on their way, and for /livez and /metrics.
    app.extensions["places"] = Places(settings.at_once, settings.threads // 2)
    app.extensions["budget"] = Budget(settings.bytes_at_once)


@blueprint.get("/openapi.json")
def openapi() -> ResponseReturnValue:
    """Describe the API to machines."""
    return _DESCRIPTION


@blueprint.post("/predict")
def predict() -> ResponseReturnValue:
    """Read the value of the bill on each photo of the request, all in one batch."""
    parts, asked = current_app.extensions, request.args.to_dict()
    settings: Settings = parts["settings"]
    classifier: Classifier = parts["classifier"]
    budget: Budget = parts["budget"]
    question = _read_question(asked, settings)
    with budget.meter(request.environ):
        # A body that is slow to come holds no place.
        photos = read_photos(settings)
        # Nor does it hold a version: a trial may be over by now.
        if not asked.keys() & {"version", "label"}:
            traffic: TrafficFile = parts["traffic"]
            question = assign(question, traffic.current())
        deadline = time.monotonic() + settings.timeout
        stages: Stages = g.stages
        with _place(parts["places"], _LONGEST_WAIT * settings.timeout, stages):
            reply = g.reply = classifier.ask(photos, question, deadline, stages)
    # Small copies of the photos are for the page alone.
    return answer_page(reply) if question.small else jsonify(reply.to_json())


@contextmanager
def _place(places: Places, seconds: float, stages: Stages) -> Iterator[None]:
    with stages.time("queue"):
        taken = places.take(seconds)
    if not taken:
        raise TooManyRequests("Too many photos at this moment. Please try again.", retry_after=1)
    try:
        yield
    finally:
        places.give_back()


def _read_question(asked: Mapping[str, str], settings: Settings) -> Question:
    version, label = asked.get("version"), asked.get("label")
    explain = _asked_to_explain(asked)
    small = PICTURE_SIZE if prefers_html() else 0
    if version is not None and label is not None:
        abort(400, "Ask for a version or for a label, not for both.")
    if version is not None:
        return Question(_whole_number(version), None, explain, small)
    if label == "":
        abort(400, "`label` is empty. Expected the name of a version label.")
    return Question(None, label or settings.model_label or None, explain, small)


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        abort(400, f"Unrecognized version: {text!r}. Expected a whole number.")
    if int(text) > _LARGEST_VERSION:
        abort(400, f"Unrecognized version: {text}. Expected at most {_LARGEST_VERSION}.")
    return int(text)


def _asked_to_explain(asked: Mapping[str, str]) -> bool:
    explain = asked.get("explain", "0")
    if explain not in ("0", "1"):
        abort(400, f"Unrecognized explain: {explain!r}. Expected 0 or 1.")
    return explain == "1"
