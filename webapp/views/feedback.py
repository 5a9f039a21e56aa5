"""`POST /feedback`: stores a photo with the right answer, if the person consents.

All routes of this module reply 404 unless the operator names a folder (`US_BILLS_FEEDBACK`).
"""

import logging
import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, abort, current_app, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, TooManyRequests

from webapp.feedback.rate_limit import RateLimit
from webapp.feedback.record import UNLISTED, Feedback, is_class
from webapp.feedback.store import FeedbackStore, Full
from webapp.inference.classifier import ClassifiedPhotos
from webapp.settings import Settings
from webapp.telemetry.metrics import Metrics
from webapp.uploads.memory_budget import MemoryBudget
from webapp.uploads.photos import read_photo_form
from webapp.views.api import ask, read_query
from webapp.views.clients import network
from webapp.views.pages import PICTURE_SIZE, deleted_page, kept_page, prefers_html

_log = logging.getLogger("webapp")

blueprint = Blueprint("feedback", __name__, url_prefix="/feedback")

AGREED = "yes"
_TEXTS = ("was", "answered", "consent")


class InsufficientStorage(HTTPException):
    """No more photos can be stored (RFC 4918, section 11.5)."""

    code = 507
    description = "No more photos can be kept at this moment. This one was not kept."


def init_app(app: Flask) -> None:
    """Add the rate limit of clients to `app`, and the feedback folder if the settings name one."""
    settings: Settings = app.extensions["settings"]
    folder = settings.feedback
    store = FeedbackStore(Path(folder), settings.feedback_bytes) if folder else None
    app.extensions["feedback"] = store
    app.extensions["feedback_rate"] = RateLimit(settings.feedback_rate)


@blueprint.post("")
def give() -> ResponseReturnValue:
    """Store a photo and its class; ask the model again, so that nobody can invent its answer."""
    store = _store()
    settings: Settings = current_app.extensions["settings"]
    budget: MemoryBudget = current_app.extensions["budget"]
    _require_own_page(settings)
    asked = read_query(request.args.to_dict(), settings)
    query = replace(asked, small=PICTURE_SIZE, explain=False, count=False)
    with _counted(), budget.reserve(request.environ):
        form = read_photo_form(settings, _TEXTS)
        _require_consent(form.texts)
        reply = ask(form.photos, query)
        feedback = _feedback(form.texts, reply, settings.feedback_days)
        # The stored copy is the one from the decoding process: upright, small, without metadata.
        _keep(store, feedback, reply.pictures[0])
    return _kept(feedback, 201)


@blueprint.get("/<name>")
def show(name: str) -> ResponseReturnValue:
    """Show the record of a photo."""
    return _kept(_store().find(name) or _unknown(), 200)


@blueprint.delete("/<name>")
def delete(name: str) -> ResponseReturnValue:
    """Delete a photo and its record."""
    if not _store().delete(name):
        _unknown()
    return "", 204


@blueprint.post("/<name>/delete")
def delete_by_form(name: str) -> ResponseReturnValue:
    """Delete a photo from a page without a script, since HTML forms cannot send DELETE."""
    if not _store().delete(name):
        _unknown()
    return deleted_page()


def _store() -> FeedbackStore:
    store: FeedbackStore | None = current_app.extensions["feedback"]
    return store or abort(404, "Feedback is not switched on here: no photo is kept.")


def _unknown() -> Any:
    abort(404, "There is no such photo: it was deleted, or its time was over.")


@contextmanager
def _counted() -> Iterator[None]:
    """Count a photo for its client, unless the block raises an error and so keeps nothing."""
    limit: RateLimit = current_app.extensions["feedback_rate"]
    client = network(request.remote_addr)
    if seconds := limit.take(client):
        sentence = "You have sent as many photos back as one may within an hour."
        raise TooManyRequests(sentence, retry_after=math.ceil(seconds))
    try:
        yield
    except BaseException:
        limit.give_back(client)
        raise


def _require_own_page(settings: Settings) -> None:
    """Refuse requests of other sites' pages: their forms may consent without asking the person.

    Browsers report such requests (Fetch Metadata, 2.4), but not to addresses without https; there
    they send the page's origin with a form. Programs send neither, and are accepted.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if {"*", origin} & set(settings.cors_origins.split()):
        return
    own = site in ("same-origin", "none")
    if site is None:
        own = origin is None or origin.partition("://")[2] == request.host
    if not own:
        abort(403, "Nothing was kept: this was sent by a page of another site.")


def _require_consent(texts: dict[str, str]) -> None:
    if texts.get("consent") != AGREED:
        abort(403, f"Nothing was kept: send `consent` as `{AGREED}` where the person agrees to it.")


def _feedback(texts: dict[str, str], reply: ClassifiedPhotos, days: int) -> Feedback:
    [prediction] = reply.predictions
    probabilities: dict[str, float] = prediction["probabilities"]
    was = _one_of(texts, "was", [*filter(is_class, probabilities), UNLISTED])
    # An empty text means that the model was not sure.
    answered = prediction["denomination"] or ""
    if "answered" in texts:
        answered = _one_of(texts, "answered", ["", *probabilities])
    return Feedback(was, answered or None, reply.model["version"], probabilities, days)


def _one_of(texts: dict[str, str], name: str, expected: Collection[str]) -> str:
    given = texts.get(name)
    if given is None or given not in expected:
        received = "nothing" if given is None else repr(given)
        abort(422, f"Unrecognized `{name}`. Expected one of {list(expected)}. Received {received}.")
    return given


def _keep(store: FeedbackStore, feedback: Feedback, photo: bytes) -> None:
    try:
        store.add(feedback, photo)
    except Full as error:
        raise InsufficientStorage from error
    except OSError as error:
        _log.error("feedback cannot be kept: %s", error)
        raise InsufficientStorage from error
    metrics: Metrics = current_app.extensions["metrics"]
    metrics.count_feedback(feedback.version, feedback.was, feedback.answered)


def _kept(feedback: Feedback, status: int) -> ResponseReturnValue:
    address = url_for("feedback.show", name=feedback.id)
    headers = {"Location": address} if status == 201 else {}
    if prefers_html():
        return kept_page(feedback), status, headers
    document = {
        "id": feedback.id,
        "was": feedback.was,
        "answered": feedback.answered,
        "version": feedback.version,
        "time": feedback.time,
        "until": feedback.until.isoformat(),
    }
    return jsonify(document), status, headers
