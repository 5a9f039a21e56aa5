"""Runs ordinary clients next to hostile ones with slow pictures: `python -m bench.hostile URL`.

Each client has a separate address on the loopback network, so that the front end distinguishes
them. Ordinary clients pause between their one-megapixel photos, hostile clients never do.
"""

from __future__ import annotations

import argparse
import http.client
import io
import random
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from bench.photos import MEGAPIXEL, jpeg

PATIENCE = 60.0


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("url", help="URL of the front end, such as http://127.0.0.1:5000")
    parser.add_argument("--ordinary", type=int, default=60, help="number of ordinary clients")
    parser.add_argument("--hostile", type=int, default=8, help="number of hostile clients")
    parser.add_argument("--pause", type=float, default=4.0, help="mean seconds between photos")
    parser.add_argument("--seconds", type=float, default=30.0, help="duration of the run")
    parser.add_argument("--kind", choices=sorted(KINDS), help="kind of slow picture (default: all)")
    options = parser.parse_args()
    kinds = [options.kind] if options.kind else sorted(KINDS)
    slow = {kind: KINDS[kind]() for kind in kinds}
    clients = [
        Client(options, _address("127.0", n), options.pause, [jpeg(MEGAPIXEL)])
        for n in range(options.ordinary)
    ]
    clients += [
        Client(options, _address("127.1", n), 0.0, [slow[kinds[n % len(kinds)]]])
        for n in range(options.hostile)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    for name, some in zip(
        ("ordinary", "hostile"),
        (clients[: options.ordinary], clients[options.ordinary :]),
        strict=True,
    ):
        print(f"{name}: {_describe(some)}")  # noqa: T201


class Client(threading.Thread):
    """Sends its pictures in turn until the time is over.

    Attributes:
        seconds: How long each answer took.
        statuses: The number of requests by status; 0 means no answer.
    """

    def __init__(
        self, options: argparse.Namespace, address: str, pause: float, pictures: list[bytes]
    ) -> None:
        super().__init__()
        self._url = urlsplit(options.url)
        self._until = time.monotonic() + options.seconds
        self._address, self._pause, self._pictures = address, pause, pictures
        self._random = random.Random(address)  # noqa: S311
        self.seconds: list[float] = []
        self.statuses = Counter[int]()

    def run(self) -> None:
        """Sends the pictures, with a pause after each request."""
        self._wait(self._random.random())
        for picture in self._forever():
            started = time.monotonic()
            status = self._ask(picture)
            self.statuses[status] += 1
            if status:
                self.seconds.append(time.monotonic() - started)
            self._wait(self._random.expovariate(1.0))

    def _forever(self) -> Iterator[bytes]:
        while time.monotonic() < self._until:
            yield from self._pictures

    def _wait(self, share: float) -> None:
        time.sleep(max(0.0, min(share * self._pause, self._until - time.monotonic())))

    def _ask(self, picture: bytes) -> int:
        connection = http.client.HTTPConnection(
            self._url.hostname or "", self._url.port, PATIENCE, source_address=(self._address, 0)
        )
        try:
            connection.request("POST", "/predict", picture, {"Content-Type": "image/jpeg"})
            reply = connection.getresponse()
            reply.read()
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
        return reply.status


def _describe(clients: list[Client]) -> str:
    seconds = [each for client in clients for each in client.seconds]
    statuses = sum((client.statuses for client in clients), Counter[int]())
    counts = f"{statuses.total()} requests, {len(seconds)} answers"
    if not seconds:
        return f"{counts}, {dict(statuses)}"
    p50, p99 = np.percentile(seconds, [50, 99])
    return f"{counts}, p50 {p50:.3f} s, p99 {p99:.3f} s, {dict(statuses)}"


def _address(network: str, number: int) -> str:
    """Returns the address of a client in a network of two bytes, such as `127.0`."""
    return f"{network}.{1 + number // 250}.{number % 250 + 1}"


def _thin_png() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 15_999_999, 1, 0, 0, 0, 0)
    return _png(header, bytes(2 * 15_999_999))


def _palette_png() -> bytes:
    file = io.BytesIO()
    Image.new("P", (7000, 7000)).save(file, "PNG", transparency=0)
    return file.getvalue()


def _large_webp() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (7000, 7000)).save(file, "WEBP", lossless=True, quality=0, method=0)
    return file.getvalue()


def _commented_gif() -> bytes:
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) * 70_000 + b"\0"
    file = io.BytesIO()
    Image.new("P", (8, 8)).save(file, "GIF")
    plain = file.getvalue()
    start = 13 + (3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0)
    return plain[:start] + comment + plain[start:]


def _progressive_jpeg() -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8)
    Image.fromarray(noise).resize((7000, 7000)).save(file, "JPEG", quality=40, progressive=True)
    return file.getvalue()


def _png(header: bytes, pixels: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


KINDS = {
    "thin PNG": _thin_png,
    "palette PNG": _palette_png,
    "large WebP": _large_webp,
    "commented GIF": _commented_gif,
    "progressive JPEG": _progressive_jpeg,
}

if __name__ == "__main__":
    main()
