"""Finds the photos in a request, in whichever of the three ways they were sent."""

import base64
import json
import re
import string
from contextlib import closing
from typing import Any

from flask import abort, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from webapp.classifier import Photo
from webapp.settings import Settings

_DATA_URL = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)
# Werkzeug turns a read that fails into the first; a chunked body's reads fail as they are.
_STOPPED = (ClientDisconnected, BlockingIOError, TimeoutError)
_NO_SPACES = dict.fromkeys(map(ord, string.whitespace))
_WAYS = "multipart/form-data, image/*, application/octet-stream or application/json"


def read_photos(settings: Settings) -> list[Photo]:
    """Take the photos out of the current request.

    Returns:
        One to `settings.max_pictures` photos, not yet looked into.

    Raises:
        HTTPException: 400 malformed JSON or base64, 408 a body that stopped coming, 413 too many
            bytes or pictures, 415 a body of another kind, 422 no picture.
    """
    try:
        photos = _read_body()
    except _STOPPED:
        abort(408, "The picture did not arrive: nothing came for a while. Please send it again.")
    except RequestEntityTooLarge:
        megabytes = settings.max_bytes / 1e6
        abort(413, f"The request is too large: at most {megabytes:g} MB, all pictures together.")
    if not photos:
        abort(422, "No picture was sent. Send at least one, in the field `image`.")
    if len(photos) > settings.max_pictures:
        abort(413, f"At most {settings.max_pictures} pictures can be sent at once.")
    return photos


def _read_body() -> list[Photo]:
    kind = request.mimetype
    if kind == "multipart/form-data":
        return _read_multipart()
    if kind == "application/json":
        return _read_json()
    body = _read_raw()
    if not body or kind.startswith("image/") or kind == "application/octet-stream":
        return [Photo(body)] if body else []
    return abort(415, f"A request body of type {kind or 'unknown'} is not accepted: send {_WAYS}.")


def _read_raw() -> bytes:
    body = request.get_data(cache=False)
    # Werkzeug cuts a body of undeclared length at the limit without a word.
    if request.content_length is None and len(body) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge
    return body


def _read_multipart() -> list[Photo]:
    photos = []
    for part in request.files.getlist("image"):
        # Closed at once, since the request would keep a second copy.
        with closing(part):
            photos.append(Photo(part.read(), part.filename or None))
    # A browser sends a nameless empty part for a file input that was left alone.
    return [photo for photo in photos if photo.data or photo.filename]


def _read_json() -> list[Photo]:
    # Nothing here has a name for longer than it is needed: each is a copy of the picture.
    try:
        document: Any = json.loads(_read_raw() or "{}")
    except (ValueError, RecursionError):
        abort(400, "The body is not valid JSON.")
    if not isinstance(document, dict) or "image" not in document:
        abort(422, "No picture was sent. The JSON object needs a member `image`.")
    return [Photo(_decode_data_url(document.pop("image")))]


def _decode_data_url(url: object) -> bytes:
    start = _DATA_URL.match(url) if isinstance(url, str) else None
    if not isinstance(url, str) or not start:
        abort(400, "`image` must be a data URL: data:image/jpeg;base64,...")
    try:
        return base64.b64decode(url[start.end() :].translate(_NO_SPACES), validate=True)
    except ValueError:
        abort(400, "The base64 text in `image` is damaged or incomplete.")
