"""Any input gets an answer that the API describes, and memory does not grow."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from bench.load.processes import megabytes
from tests.support.servers import ModelServer
from tests.webapp.fuzz import ALLOWED, uploads
from tests.webapp.server import FrontEnd

WARM, COUNT = 500, 3_000
# Of an allocator, not of pictures: one of them is up to 150 MB while it is decoded.
SPARE_MEGABYTES = 60


def test_three_thousand_odd_uploads_get_documented_answers_and_leave_nothing_behind(
    model_server: ModelServer,
) -> None:
    with FrontEnd(model_server.grpc_url, US_BILLS_TIMEOUT="60") as front_end:
        send(front_end, uploads(WARM, seed=1))
        before = megabytes(front_end.process.pid)
        told = send(front_end, uploads(COUNT, seed=0))
        after = megabytes(front_end.process.pid)
    assert told.keys() <= ALLOWED, told
    # Were all of them refused, or none, they would show nothing.
    assert min(told[200], told[400]) > COUNT // 20
    assert told.total() == COUNT
    assert after - before < SPARE_MEGABYTES


def send(front_end: FrontEnd, files: Iterable[bytes]) -> Counter[int]:
    """Sends files in four threads, in each of the ways in turn; returns the answers by status."""

    def ask(numbered: tuple[int, bytes]) -> int:
        way = WAYS[numbered[0] % len(WAYS)]
        # The request's body may be as odd as the file that it holds.
        return session.post(f"{front_end.url}/predict", timeout=60, **way(numbered[1])).status_code

    with requests.Session() as session, ThreadPoolExecutor(4) as threads:
        return Counter(threads.map(ask, enumerate(files)))


def as_form(data: bytes) -> dict[str, Any]:
    return {"files": {"image": ("a.jpg", data)}}


def as_body(data: bytes) -> dict[str, Any]:
    return {"data": data, "headers": {"Content-Type": "application/octet-stream"}}


def as_json(data: bytes) -> dict[str, Any]:
    return {"json": {"image": "data:image/jpeg;base64," + base64.b64encode(data).decode()}}


WAYS = (as_form, as_body, as_json)
