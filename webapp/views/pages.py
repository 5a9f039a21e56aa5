"""The page for people. It is one template: empty, with answers, or with a notice."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from webapp.feedback.record import UNLISTED, Feedback
from webapp.inference.classifier import ClassifiedPhotos
from webapp.inference.counter import Uncounted
from webapp.inference.model_cards import ClassNames
from webapp.inference.traffic_split import TrafficFile, number_client
from webapp.names import OTHER, Names
from webapp.settings import Settings
from webapp.views.naming import Naming
from webapp.views.translations import LANGUAGES, language, sentence

PICTURE_SIZE = 480
"""Longest side in pixels of the small copy of a photo that the page shows with the answer."""

SAMPLES = ("five.webp", "fifty.webp")

blueprint = Blueprint("pages", __name__)


class Card(NamedTuple):
    """One photo on the page.

    Attributes:
        answer: Its prediction, see `ClassifiedPhotos`.
        picture: Its small copy as a data URL; None if there is none.
        size: Width and height of the drawing over it; None if the photo was not decoded.
    """

    answer: Mapping[str, Any]
    picture: str | None
    size: tuple[int, int] | None


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Show the page on which a person chooses a photo."""
    traffic: TrafficFile = current_app.extensions["traffic"]
    settings: Settings = current_app.extensions["settings"]
    number_client(traffic.current(), traffic.current(settings.counter))
    return _page()


@blueprint.get("/offline")
def offline() -> ResponseReturnValue:
    """Show the page that the service worker keeps for when the front end cannot be reached."""
    phrases = LANGUAGES[language()]
    headline, detail = phrases["no_connection"], phrases["offline"]
    return _page(notice={"state": "offline", "headline": headline, "detail": detail})


@blueprint.get("/worker.js")
def worker() -> ResponseReturnValue:
    """Serve the service worker; under `/static/` it could not intercept requests for `/`."""
    return current_app.send_static_file("worker.js")


def prefers_html() -> bool:
    """Report whether the client is a browser that posts a form rather than a program."""
    accepted = request.accept_mimetypes
    return accepted["text/html"] > accepted["application/json"]


def answer_page(reply: ClassifiedPhotos) -> str:
    """Return the page with the answers of a reply, each next to a small copy of its photo."""
    pictures = {n: _data_url(picture) for n, picture in reply.pictures.items()}
    sizes = {n: _drawn(size) for n, size in reply.sizes.items()}
    cards = [
        Card(answer, pictures.get(n), sizes.get(n)) for n, answer in enumerate(reply.predictions)
    ]
    missed = reply.count.get("reason") not in (None, Uncounted.NOT_ASKED, Uncounted.SWITCHED_OFF)
    return _page(
        cards=cards, model=reply.model, count=reply.count, missed=missed, names=reply.names
    )


def state(answer: Mapping[str, Any]) -> str:
    """Return the page's state for an answer: `sure`, `unsure`, or `other` for the class `Other`."""
    if is_sum(answer):
        return "sure"
    if not answer["accepted"]:
        return "unsure"
    return "other" if answer["denomination"] == OTHER else "sure"


def is_several(answer: Mapping[str, Any]) -> bool:
    """Report whether the page mentions more than one bill.

    If the sure answer is that a photo shows no money, the page does not mention bills in doubt.
    """
    no_money = answer["accepted"] and answer.get("value") is None
    return len(answer.get("bills", ())) > 1 and not no_money


def is_sum(answer: Mapping[str, Any]) -> bool:
    """Report whether the answer about a photo is the sum of several bills."""
    return is_several(answer) and answer["total"] is not None


def scores(answer: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the class and the score of each bill that the counter sees."""
    return [(bill["class"], bill["score"]) for bill in answer["bills"]]


def problem_page(problem: Mapping[str, Any], filename: str | None = None) -> str:
    """Return the page with a problem and the name of its file."""
    return _page(notice=problem, filename=filename)


def kept_page(feedback: Feedback) -> str:
    """Return the page that shows what is kept of a feedback photo, and that can delete it."""
    names: ClassNames = current_app.extensions["names"]
    return _page(kept=feedback, names=names.of(feedback.version))


def deleted_page() -> str:
    """Return the page that confirms the deletion of a photo."""
    phrases = LANGUAGES[language()]["feedback"]
    headline, detail = phrases["deleted"], phrases["deleted_said"]
    return _page(notice={"state": "other", "headline": headline, "detail": detail})


def _page(names: Names = Names(), **parts: Any) -> str:  # noqa: B008
    lang, settings = language(), current_app.extensions["settings"]
    return render_template(
        "page.html",
        samples=SAMPLES,
        lang=lang,
        phrases=LANGUAGES[lang],
        languages=LANGUAGES,
        sentence=sentence,
        naming=Naming(names, lang),
        max_bytes=settings.max_bytes,
        feedback_days=settings.feedback_days if settings.feedback else 0,
        unlisted=UNLISTED,
        counting=bool(settings.counter),
        state=state,
        is_several=is_several,
        is_sum=is_sum,
        scores=scores,
        revision=_revision(),
        **parts,
    )


def _drawn(size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height of the drawing over a photo, whose longer side is `PICTURE_SIZE`.

    The size does not depend on the photo's, so numbers over small and large photos look alike.
    """
    width, height = (round(PICTURE_SIZE * side / max(size)) for side in size)
    return max(1, width), max(1, height)


def _data_url(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


@cache
def _revision() -> str:
    """Return a hash of the page's files; when it changes, browsers renew their cached files."""
    folder = Path(__file__).parents[1]
    files = [
        folder / "views" / "translations.py",
        *folder.glob("templates/*"),
        *folder.glob("static/*.*"),
    ]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:12]
