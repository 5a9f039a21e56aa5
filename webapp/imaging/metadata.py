"""Removes metadata that no pixel depends on, before a decoder reads or inflates all of it.

A PNG may hold any number of chunks of any size in addition to its picture, a GIF or JPEG any number
of comments. Pillow reads them one by one in Python, and refuses a valid picture with a large one.
"""

from __future__ import annotations

from webapp.imaging import jpeg
from webapp.imaging.errors import TooCostly

MAX_BLOCKS = 100_000
"""Most chunks of a PNG, or blocks before a GIF's picture; 20 MB in pieces of 8 kB are 2,500."""

_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
# Transparency and orientation. All others are colour management and text, which are not used.
_NEEDED = (b"tRNS", b"eXIf")
_ANCILLARY = 0x20
_LARGEST = 65_536

_GIF_EXTENSION, _GIF_CONTROL = 0x21, 0xF9

# Of the application segments, JFIF and Adobe define the colour space, and Exif the orientation.
_JFIF, _EXIF, _ADOBE, _COMMENT = 0xE0, 0xE1, 0xEE, 0xFE
_APPLICATIONS = {*range(0xE0, 0xF0), _COMMENT} - {_JFIF, _ADOBE}


def without_metadata(data: bytes) -> bytes:
    """Drop ancillary chunks of a PNG, and comments before the picture of a GIF or JPEG.

    Args:
        data: A whole file; a file in another format is returned unchanged.

    Raises:
        TooCostly: It has more than `MAX_BLOCKS` blocks, or a JPEG more than `jpeg.MAX_SEGMENTS`.
    """
    if data.startswith(jpeg.START + b"\xff"):
        return _trim_jpeg(data)
    if data.startswith(_PNG):
        return _trim_png(data)
    return _trim_gif(data) if data.startswith(b"GIF8") else data


def _trim_jpeg(data: bytes) -> bytes:
    # Fill bytes between segments are removed too: Pillow would read them byte by byte.
    whole, kept, exif = memoryview(data), [memoryview(jpeg.START)], b"Exif\0\0"
    for kind, begin, end in jpeg.markers(data):
        if kind == jpeg.SCAN:
            kept.append(whole[begin - 2 :])
            return b"".join(kept)
        is_exif = kind == _EXIF and data[begin + 2 : begin + 8] == exif
        # Only the first Exif segment is kept: Pillow would join all of them.
        if kind not in _APPLICATIONS or is_exif:
            kept.append(whole[begin - 2 : end])
        exif = b"" if is_exif else exif
    # The file has no scan; its decoder will report that.
    return b"".join([*kept, jpeg.END])


def _trim_png(data: bytes) -> bytes:
    # Length, kind, content, checksum (PNG specification, section 5.3).
    whole, kept, place, kind = memoryview(data), [memoryview(_PNG)], len(_PNG), b""
    for _ in range(MAX_BLOCKS):
        if place + 12 > len(data) or kind == _PNG_END:
            break
        kind, size = data[place + 4 : place + 8], int.from_bytes(data[place : place + 4])
        end = place + 12 + size
        if not kind[0] & _ANCILLARY or (kind in _NEEDED and size <= _LARGEST):
            kept.append(whole[place:end])
        place = end
    else:
        raise TooCostly(f"The PNG has over {MAX_BLOCKS} chunks: no program writes that.")
    return b"".join(kept)


def _trim_gif(data: bytes) -> bytes:
    try:
        return _without_extensions(data)
    # The file ends within its extensions; its decoder will report that.
    except IndexError:
        return data


def _without_extensions(data: bytes) -> bytes:
    # GIF89a, sections 18 to 26: the last control block names the transparent colour.
    start = place = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    control, blocks = b"", 0
    while data[place] == _GIF_EXTENSION:
        begin, label, place = place, data[place + 1], place + 2
        while data[place]:
            place += data[place] + 1
            blocks += 1
        place += 1
        blocks += 1
        if blocks > MAX_BLOCKS:
            raise TooCostly(f"The GIF has over {MAX_BLOCKS} blocks of comments.")
        if label == _GIF_CONTROL and place - begin == 8:
            control = data[begin:place]
    return data[:start] + control + data[place:]
