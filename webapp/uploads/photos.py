"""Reads the photos of a request: a form, a raw body or JSON."""

import base64
import json
import re
import string
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from flask import abort, request
from werkzeug.exceptions import RequestEntityTooLarge

from webapp.inference.classifier import Photo
from webapp.settings import Settings
from webapp.uploads.forms import Form, read_form

_DATA_URL = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)
_LONGEST_DATA_URL = 1_000_000
_MOST_COMMAS = 1000
_PIECE = 65_536
_NO_SPACES = dict.fromkeys(map(ord, string.whitespace))
_WAYS = "multipart/form-data, image/*, application/octet-stream or application/json"


def read_photos(settings: Settings) -> list[Photo]:
    """Read the photos of the current request.

    Returns:
        One to `settings.max_pictures` photos, not yet decoded.

    Raises:
        HTTPException: 400 a malformed body, 408 one that stopped arriving, 413 too many bytes,
            pictures or parts, 415 a body of another kind or encoding, 422 no picture.
    """
    _check_encoding()
    with _named_limit(settings.max_bytes):
        photos = _read_body(settings.max_pictures)
    if not photos:
        abort(422, "No picture was sent. Send at least one, in the field `image`.")
    if len(photos) > settings.max_pictures:
        abort(413, f"At most {settings.max_pictures} pictures can be sent at once.")
    return photos


def read_photo_form(settings: Settings, texts: Collection[str]) -> Form:
    """Read one photo and some text fields from the form in the current request.

    Args:
        settings: Define the limit on the size of the body.
        texts: Names of the form's text fields.

    Returns:
        The form, with one photo. The client may send the photo as a data URL, since a page without
        a script cannot send a file again that was chosen before.

    Raises:
        HTTPException: As in `read_photos`, and 415 if the body is not a form.
    """
    _check_encoding()
    if request.mimetype != "multipart/form-data":
        abort(415, "Send this as multipart/form-data.")
    with _named_limit(settings.max_bytes):
        form = _read_form(1, texts)
    if len(form.photos) != 1:
        abort(422, "Send one picture, in the field `image`.")
    form.photos[0] = _without_data_url(form.photos[0])
    return form


@contextmanager
def _named_limit(most_bytes: int) -> Iterator[None]:
    try:
        yield
    except RequestEntityTooLarge as error:
        # Errors from `read_form` already describe which limit was exceeded.
        if error.description != RequestEntityTooLarge.description:
            raise
        megabytes = most_bytes / 1e6
        abort(413, f"The request is too large: at most {megabytes:g} MB, all pictures together.")


def _check_encoding() -> None:
    # Pictures are already compressed, so accepting bodies that expand to gigabytes has no benefit.
    encoding = request.headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding != "identity":
        abort(415, f"The Content-Encoding {encoding} is not accepted: send the body as it is.")


def _read_body(most_pictures: int) -> list[Photo]:
    kind = request.mimetype
    if kind == "multipart/form-data":
        return _read_form(most_pictures).photos
    if kind == "application/json":
        return _read_json()
    body = _read_raw()
    if not body or kind.startswith("image/") or kind == "application/octet-stream":
        return [Photo(body)] if body else []
    return abort(415, f"A request body of type {kind or 'unknown'} is not accepted: send {_WAYS}.")


def _without_data_url(photo: Photo) -> Photo:
    if not photo.data.startswith(b"data:"):
        return photo
    # A data URL is copied several times, which the memory budget does not count for a form.
    if len(photo.data) > _LONGEST_DATA_URL:
        abort(413, f"A data URL in a form may have {_LONGEST_DATA_URL:,} bytes: send a file.")
    return Photo(_decode_data_url(photo.data.decode("latin-1")))


def _read_form(most_pictures: int, texts: Collection[str] = ()) -> Form:
    pieces = iter(partial(request.stream.read, _PIECE), b"")
    return read_form(pieces, request.mimetype_params.get("boundary", ""), most_pictures, texts)


def _read_raw() -> bytes:
    body = request.get_data(cache=False)
    # Werkzeug silently truncates a body of undeclared length at the limit.
    if request.content_length is None and len(body) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge
    return body


def _read_json() -> list[Photo]:
    # Each intermediate value is a copy of the picture, so no variable keeps one longer than needed.
    try:
        document: Any = json.loads(_read_simple_json())
    except (ValueError, RecursionError):
        abort(400, "The body is not valid JSON.")
    if not isinstance(document, dict) or "image" not in document:
        abort(422, "No picture was sent. The JSON object needs a member `image`.")
    return [Photo(_decode_data_url(document.pop("image")))]


def _read_simple_json() -> bytes:
    body = _read_raw() or b"{}"
    # Three bytes of `{},` become 72, and parsing blocks all threads. A data URL has one comma.
    if body.count(b",") > _MOST_COMMAS:
        abort(400, "The JSON object should have the member `image` and little else.")
    return body


def _decode_data_url(url: object) -> bytes:
    start = _DATA_URL.match(url) if isinstance(url, str) else None
    # One non-ASCII character would make each copy of the text two to four times as large.
    if not isinstance(url, str) or not start or not url.isascii():
        abort(400, "`image` must be a data URL: data:image/jpeg;base64,...")
    try:
        return base64.b64decode(url[start.end() :].translate(_NO_SPACES), validate=True)
    except ValueError:
        abort(400, "The base64 text in `image` is damaged or incomplete.")
