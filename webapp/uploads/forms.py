"""Extracts the pictures from a `multipart/form-data` body (RFC 7578) as the body arrives."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from flask import abort
from werkzeug.datastructures import Headers
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    State,
)

from webapp.inference.classifier import Photo

FIELD = "image"
MOST_OTHER_PARTS = 100
"""Most parts of a form in addition to its pictures."""
MOST_HEADERS = 8_000
"""Most bytes of the headers of one part."""
MOST_TEXT = 1_000
"""Most bytes of a text field."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Form(NamedTuple):
    """The pictures of a form in order, and its text fields by name."""

    photos: list[Photo]
    texts: dict[str, str]


def read_form(
    pieces: Iterable[bytes], boundary: str, most_pictures: int, texts: Collection[str] = ()
) -> Form:
    """Read a form to its end and keep its pictures.

    Args:
        pieces: The pieces of the body as they arrive.
        boundary: The boundary of the parts, from the header `Content-Type`.
        most_pictures: The number of pictures that the caller accepts.
        texts: Names of text fields to keep; of several fields with one name, the last counts.

    Returns:
        The parts named `image`, without the empty part that a browser sends for an empty file
        input, and the text fields named in `texts`.

    Raises:
        HTTPException: 400 no boundary, or a form that is malformed or incomplete; 413 too many
            parts, or too much in the headers or the text of one.
    """
    if not boundary.isascii() or not boundary:
        abort(400, "The Content-Type multipart/form-data names no boundary of its parts.")
    form, part, data = Form([], {}), None, bytearray()
    for event in _events(pieces, boundary.encode(), most_pictures + MOST_OTHER_PARTS):
        if isinstance(event, (Field, File)):
            part = event
        elif isinstance(event, Data) and part is not None and part.name in (FIELD, *texts):
            data += event.data
            if part.name != FIELD:
                _check_text(len(data))
            if not event.more_data:
                _keep(form, part, bytes(data))
                data.clear()
    return form


def _keep(form: Form, part: Field | File, data: bytes) -> None:
    if part.name != FIELD:
        form.texts[str(part.name)] = data.decode("utf-8", "replace")
        return
    name = _clean(part.filename) if isinstance(part, File) else None
    form.photos.extend([Photo(data, name)] if data or name else [])


def _events(pieces: Iterable[bytes], boundary: bytes, most_parts: int) -> Iterator[Event]:
    decoder, parts = _Decoder(boundary), 0
    for piece in pieces:
        decoder.receive_data(piece)
        for event in _next_events(decoder):
            if isinstance(event, (Field, File)):
                parts += 1
                _check_headers(sum(map(len, [x for pair in event.headers for x in pair])))
            if parts > most_parts:
                abort(413, f"The form has too many parts: at most {most_parts} are accepted.")
            yield event
        if decoder.state is State.PREAMBLE and len(decoder.buffer) > MOST_HEADERS:
            break
        if decoder.state is State.PART:
            _check_headers(len(decoder.buffer))
    if decoder.state is State.PREAMBLE:
        abort(400, "The body does not begin with the boundary that the Content-Type names.")
    if decoder.state is not State.EPILOGUE:
        abort(400, "The upload is incomplete: the form has no end. Please send it again.")


def _next_events(decoder: MultipartDecoder) -> Iterator[Event]:
    try:
        while not isinstance(event := decoder.next_event(), (NeedData, Epilogue)):
            yield event
    except ValueError as error:
        abort(400, f"The form is malformed: {error}.")


def _check_headers(size: int) -> None:
    if size > MOST_HEADERS:
        abort(413, f"The headers of a part are too large: at most {MOST_HEADERS:,} bytes.")


def _check_text(size: int) -> None:
    if size > MOST_TEXT:
        abort(413, f"A text of the form is too long: at most {MOST_TEXT:,} bytes.")


class _Decoder(MultipartDecoder):
    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        # Old programs send file names in other encodings, for which Werkzeug refuses the form.
        return super()._parse_headers(data.decode("utf-8", "replace").encode())


def _clean(name: str | None) -> str | None:
    return _CONTROL.sub("", name or "") or None
