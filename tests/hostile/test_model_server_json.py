"""JSON that tries to stop the model server: deep, dense, half characters, one wrong last byte."""

from __future__ import annotations

import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.hostile.conftest import ask_rest, unharmed
from tests.support.servers import ModelServer

pytestmark = pytest.mark.hostile

MEGABYTE = 2**20
INTEGERS = json.dumps([[[[200, 100, 50]] * 224] * 224] * 4)[1:-1]
"""Four pictures; 2.4 MB."""


def post(server: ModelServer, body: bytes, **headers: str) -> requests.Response:
    """Asks for a prediction."""
    url = f"{server.rest_url}/v1/models/us_bills:predict"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(url, body, headers=named, timeout=120)


def rows(text: str) -> bytes:
    """A body in row form."""
    return f'{{"instances": [{text}]}}'.encode()


REFUSED = {
    "a million brackets": (b"[" * 1_000_000, 400, "nested too deeply"),
    "deep lists": (rows("[" * 100_000 + "]" * 100_000), 400, "nested too deeply"),
    "deep objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "nested too deeply"),
    "more lists than a tensor has dimensions": (rows("[" * 70 + "1" + "]" * 70), 400, "image"),
    "no JSON": (b"\xff" * MEGABYTE, 400, "JSON Parse error"),
    "a wrong last byte": (rows(INTEGERS + ", x"), 400, "JSON Parse error"),
    "a wrong last value": (rows(INTEGERS[:-5] + '"x"]]]'), 400, "[3,223,223,2]"),
    "a short last row": (rows(INTEGERS[:-7] + "]]]"), 400, "[3,223,223]"),
    "half of a surrogate pair": (
        b'{"signature_name": "serve_bytes", "instances": ["\\ud83d"]}', 400, "image_bytes"
    ),
    "half a pair for a name": (b'{"instances": [{"\\ud83d": 1}]}', 400, "equal to image"),
    "half a pair for a signature": (b'{"signature_name": "\\ud83d", "inputs": 1}', 400, ""),
    "an integer of 5000 digits": (rows("9" * 5000), 400, "JSON Parse error"),
    "an integer beyond 64 bits": (rows("9" * 50), 400, "uint8"),
    "empty objects": (b"[" + b"{}," * (10 * MEGABYTE) + b"{}]", 413, "values"),
    "many names": (
        b"{" + b",".join(b'"%d":1' % n for n in range(3_000_000)) + b"}", 413, "values"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_a_sentence(model_server: ModelServer, case: str) -> None:
    body, status, reason = REFUSED[case]
    assert model_server.process is not None
    with unharmed(model_server.process.pid, ask_rest(model_server), 400):
        started = time.monotonic()
        reply = post(model_server, body)
        assert time.monotonic() - started < 30
    assert reply.status_code == status
    assert reason in reply.json()["error"]


@pytest.mark.parametrize("unit", [b"{},", b"[[[]]],", b'{"a":1},'])
def test_values_that_take_much_memory_do_not_escape_by_gzip(
    model_server: ModelServer, unit: bytes
) -> None:
    packed = gzip.compress(b"[" + unit * (60 * MEGABYTE // len(unit)) + b"1]")
    assert len(packed) < MEGABYTE
    assert model_server.process is not None
    with unharmed(model_server.process.pid, ask_rest(model_server), 250):
        reply = post(model_server, packed, Content_Encoding="gzip")
    assert reply.status_code == 413


def test_the_densest_documents_that_are_taken_wait_for_each_other(
    model_server: ModelServer,
) -> None:
    body = b'{"a": [' + b"[[[]]]," * (5 * MEGABYTE // 7) + b"1]}"
    assert model_server.process is not None
    with (
        unharmed(model_server.process.pid, ask_rest(model_server), 600),
        ThreadPoolExecutor(8) as clients,
    ):
        replies = list(clients.map(lambda _: post(model_server, body), range(8)))
    assert {reply.status_code for reply in replies} == {400}
    assert "'instances'" in replies[0].json()["error"]


def test_a_picture_after_all_that_is_answered(model_server: ModelServer) -> None:
    picture = json.dumps([[[200, 100, 50]] * 224] * 224)
    reply = post(model_server, rows(picture))
    (prediction,) = reply.json()["predictions"]
    assert set(prediction) == {"classes", "probabilities", "accepted"}


def test_sixteen_pictures_as_floats_are_an_honest_request(model_server: ModelServer) -> None:
    """They pass all limits; the model itself takes integers."""
    body = rows(", ".join([json.dumps([[[0.12345678, 0.2345678, 0.3456789]] * 224] * 224)] * 16))
    reply = post(model_server, body)
    assert reply.status_code == 400
    assert "uint8" in reply.json()["error"]
