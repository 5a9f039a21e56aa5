"""Errors of pictures; their messages are sentences for the clients that sent them.

BadImage
├── NotAnImage          the bytes cannot be read as a picture
├── DamagedImage        starts as a picture but cannot be decoded to its end
├── TooManyPixels       refused from its header, before any pixel is decoded
├── TooCostly           a JPEG of hundreds of scans, or decoding exceeds the time or memory limit
└── UnsupportedImage    a file of another kind: a PDF, a video, an SVG
"""

from __future__ import annotations

ACCEPTED = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF"


class BadImage(Exception):
    """The bytes cannot be used as a photo; the message is a sentence for the client."""


class NotAnImage(BadImage):
    """Nothing in the bytes can be read as a picture."""


class DamagedImage(BadImage):
    """The picture is truncated or corrupt."""


class TooManyPixels(BadImage):
    """The header announces too many pixels, too long a side or too thin a picture, see `cost`."""


class TooCostly(BadImage):
    """Decoding the picture would take too long or too much memory."""


class UnsupportedImage(BadImage):
    """The bytes are a file of another kind, or a picture in a format that is not accepted."""


_PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
_OTHER_STARTS = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or office document",
    b"8BPS": "a Photoshop document",
    b"\x1aE\xdf\xa3": "a WebM or Matroska video",
    b"OggS": "an Ogg recording",
    b"ID3": "an MP3 recording",
    b"\0\0\1\0": "an icon",
    b"\0\0\0\x0cjP": "a JPEG 2000 picture",
    b"\xffO\xffQ": "a JPEG 2000 picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL": "a JPEG XL picture",
}
_PICTURE_BRANDS = (b"hei", b"hev", b"mif", b"msf", b"avi")


def name_the_problem(data: bytes) -> BadImage:
    """Return the error for a file that no decoder recognises, from its first bytes."""
    other = _other_kind(data)
    if other:
        return UnsupportedImage(f"The file is {other}. Send a picture as {ACCEPTED}.")
    if data.startswith(_PICTURE_STARTS) or data[4:8] == b"ftyp":
        return DamagedImage("The picture is damaged or incomplete and cannot be read.")
    return NotAnImage(f"The file is not a picture. Send a picture as {ACCEPTED}.")


def _other_kind(data: bytes) -> str | None:
    for start, kind in _OTHER_STARTS.items():
        if data.startswith(start):
            return kind
    if data[4:8] == b"ftyp" and data[8:11] not in _PICTURE_BRANDS:
        return "a video"
    if data[:4] == b"RIFF" and data[8:12] in (b"AVI ", b"WAVE"):
        return "a video or sound recording"
    start = data[:1024].lower()
    if b"<html" in start:
        return "a web page"
    return "an SVG drawing" if b"<svg" in start else None
