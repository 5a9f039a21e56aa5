"""The page for people. It is one template: empty, with answers, or with a problem."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from webapp.classifier import Reply
from webapp.phrases import LANGUAGES, language, sentence
from webapp.traffic import meet

PICTURE_SIZE = 480
"""Longest side in pixels of the small copy of a photo that comes back beside its answer."""

SAMPLES = ("five.webp", "fifty.webp")

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Show the page where a photo can be given."""
    meet(current_app.extensions["traffic"].current())
    return _page()


@blueprint.get("/offline")
def offline() -> ResponseReturnValue:
    """Show what the service worker keeps, for the day on which this front end cannot be reached."""
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


def answer_page(reply: Reply) -> str:
    """The page with the answers of a reply, each beside a small copy of its photo."""
    pictures = [_data_url(picture) if picture else None for picture in reply.pictures]
    answers = list(zip(reply.predictions, pictures, strict=True))
    return _page(answers=answers, model=reply.model)


def problem_page(problem: Mapping[str, Any]) -> str:
    """The page with what went wrong."""
    return _page(problem=problem)


def _page(**parts: Any) -> str:
    lang = language()
    return render_template(
        "page.html",
        samples=SAMPLES,
        lang=lang,
        phrases=LANGUAGES[lang],
        languages=LANGUAGES,
        sentence=sentence,
        max_bytes=current_app.extensions["settings"].max_bytes,
        revision=_revision(),
        **parts,
    )


def _data_url(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


@cache
def _revision() -> str:
    """Changes when a file of the page does, so that a browser renews what it keeps."""
    folder = Path(__file__).parent
    files = [folder / "phrases.py", *folder.glob("templates/*"), *folder.glob("static/*.*")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:12]
