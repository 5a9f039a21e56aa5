"""The page for people. It is one template: empty, with answers, or with a problem."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from webapp.feedback.store import UNLISTED, Feedback
from webapp.inference.classifier import ClassifiedPhotos
from webapp.inference.traffic_split import number_client
from webapp.views.translations import LANGUAGES, language, sentence

PICTURE_SIZE = 480
"""Longest side in pixels of the small copy of a photo that comes back beside its answer."""

SAMPLES = ("five.webp", "fifty.webp")

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Show the page where a photo can be given."""
    number_client(current_app.extensions["traffic"].current())
    return _page()


@blueprint.get("/offline")
def offline() -> ResponseReturnValue:
    """Show the page that the service worker keeps for when the front end cannot be reached."""
    phrases = LANGUAGES[language()]
    headline, detail = phrases["no_connection"], phrases["offline"]
    return _page(problem={"state": "offline", "headline": headline, "detail": detail})


@blueprint.get("/worker.js")
def worker() -> ResponseReturnValue:
    """Hand out the service worker; one under `/static/` could not see requests for `/`."""
    return current_app.send_static_file("worker.js")


def prefers_html() -> bool:
    """Tell whether the caller is a browser's form post rather than a program."""
    accepted = request.accept_mimetypes
    return accepted["text/html"] > accepted["application/json"]


def answer_page(reply: ClassifiedPhotos) -> str:
    """The page with the answers of a reply, each beside a small copy of its photo."""
    pictures = [_data_url(picture) if picture else None for picture in reply.pictures]
    answers = list(zip(reply.predictions, pictures, strict=True))
    return _page(answers=answers, model=reply.model)


def problem_page(problem: Mapping[str, Any], filename: str | None = None) -> str:
    """The page with a problem and the name of its file."""
    return _page(problem=problem, filename=filename)


def kept_page(feedback: Feedback) -> str:
    """The page that says what is kept of a photo that was sent back, and that deletes it."""
    return _page(kept=feedback)


def deleted_page() -> str:
    """The page that says that it is deleted."""
    phrases = LANGUAGES[language()]["feedback"]
    headline, detail = phrases["deleted"], phrases["deleted_said"]
    return _page(problem={"state": "other", "headline": headline, "detail": detail})


def _page(**parts: Any) -> str:
    lang, settings = language(), current_app.extensions["settings"]
    return render_template(
        "page.html",
        samples=SAMPLES,
        lang=lang,
        phrases=LANGUAGES[lang],
        languages=LANGUAGES,
        sentence=sentence,
        max_bytes=settings.max_bytes,
        feedback_days=settings.feedback_days if settings.feedback else 0,
        unlisted=UNLISTED,
        revision=_revision(),
        **parts,
    )


def _data_url(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


@cache
def _revision() -> str:
    """Changes when a file of the page does, so that a browser renews what it keeps."""
    folder = Path(__file__).parents[1]
    files = [
        folder / "views" / "translations.py",
        *folder.glob("templates/*"),
        *folder.glob("static/*.*"),
    ]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:12]
