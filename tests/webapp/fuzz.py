"""Unusual uploads: every format, corrupted in every way, from one seed."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import specimen
from tests.webapp import hostile

ALLOWED = {200, 400, 408, 413, 415, 422, 429, 503, 504}
"""What the API's description allows for a photo; 500 and 502 would be mistakes of ours."""

Spoil = Callable[[random.Random, bytes], bytes]


def uploads(count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield `count` files: good ones of all formats, spoiled in up to three ways, or noise."""
    rng = random.Random(seed)
    good = _good_files()
    for _ in range(count):
        data = rng.choice(good) if rng.random() < 0.95 else rng.randbytes(rng.randrange(4096))
        for _ in range(rng.randint(1, 3)):
            data = rng.choice(SPOILING)(rng, data)
        yield data


def _good_files() -> list[bytes]:
    bill = specimen.bill("20", width=160)
    formats = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
    files = [specimen.encode(bill, name) for name in formats]
    files += [
        specimen.encode(bill, "JPEG", progressive=True),
        specimen.encode(bill.convert("CMYK"), "JPEG"),
        specimen.encode(bill.convert("P"), "PNG", transparency=0),
        specimen.encode(bill.convert("I;16"), "PNG"),
        specimen.encode(bill.convert("F"), "TIFF", compression="tiff_lzw"),
        specimen.encode(bill.convert("1"), "TIFF", compression="group4"),
        specimen.encode(bill, "TIFF", compression="jpeg"),
        specimen.encode(bill, "WEBP", lossless=True),
        specimen.encode(bill, "GIF", save_all=True, append_images=[bill.rotate(9)]),
        hostile.many_scans(20),
        hostile.many_chunks(20),
        Path(__file__).with_name("specimen.heic").read_bytes(),
    ]
    return files


def _flip(rng: random.Random, data: bytes) -> bytes:
    spoiled = bytearray(data)
    for _ in range(rng.randint(1, 1 + len(data) // 500)):
        if spoiled:
            # Headers decide more than pixels do.
            end = len(spoiled) if rng.random() < 0.5 else min(len(spoiled), 256)
            spoiled[rng.randrange(end)] = rng.randrange(256)
    return bytes(spoiled)


def _extreme(rng: random.Random, data: bytes) -> bytes:
    """Writes a number that somebody forgot: none, the largest, the most negative."""
    size, place = rng.choice((1, 2, 4)), rng.randrange(min(len(data), 512) + 1)
    number = rng.choice((b"\0" * size, b"\xff" * size, b"\x7f" + b"\xff" * (size - 1)))
    return data[:place] + number + data[place + size :]


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _remove(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.randrange(64) :]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return (
        data[:start] + data[start : start + rng.randrange(512)] * rng.randint(2, 20) + data[start:]
    )


def _append(rng: random.Random, data: bytes) -> bytes:
    return data + rng.randbytes(rng.randrange(2048))


def _disguise(rng: random.Random, data: bytes) -> bytes:
    """Puts the first bytes of another kind of file before it."""
    starts = (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"RIFF", b"%PDF", b"")
    start = rng.choice(starts)
    return start + data[len(start) :]


SPOILING: tuple[Spoil, ...] = (_flip, _extreme, _cut, _remove, _repeat, _append, _disguise)
