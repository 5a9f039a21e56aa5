"""Files that TensorFlow's own decoders refuse: the error names the refused file of the request."""

from __future__ import annotations

import base64

import pytest
import requests

from tests import specimen
from tests.hostile.conftest import ask_rest, unharmed
from tests.support.servers import ModelServer

pytestmark = pytest.mark.hostile

GOOD = specimen.encode(specimen.bill("20", width=320), "JPEG")
PNG = specimen.encode(specimen.bill("5", width=320), "PNG")
BROKEN = {
    "a cut PNG": PNG[: len(PNG) // 2],
    "a PNG of zeros": PNG[:100] + bytes(len(PNG) - 100),
    "a JPEG without rows": GOOD[:700],
}


def ask(server: ModelServer, *files: bytes) -> requests.Response:
    """Sends files to `serve_bytes`."""
    instances = [{"b64": base64.b64encode(file).decode()} for file in files]
    body = {"signature_name": "serve_bytes", "instances": instances}
    return requests.post(f"{server.rest_url}/v1/models/us_bills:predict", json=body, timeout=60)


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("place", [1, 3, 8])
def test_the_broken_one_of_several_is_named_by_its_place(
    model_server: ModelServer, broken: bytes, place: int
) -> None:
    files = [GOOD] * 8
    files[place - 1] = broken
    assert model_server.process is not None
    with unharmed(model_server.process.pid, ask_rest(model_server), 100):
        reply = ask(model_server, *files)
    assert reply.status_code == 400
    assert reply.json()["error"].startswith(f"Row {place} of 8: ")


def test_a_header_is_named_by_the_graph(model_server: ModelServer) -> None:
    error = ask(model_server, GOOD, b"text", GOOD).json()["error"]
    assert "[image_bytes: picture 2 of 3]" in error
    assert "Row" not in error


def test_one_broken_file_alone_is_as_tensorflow_says_it(model_server: ModelServer) -> None:
    reply = ask(model_server, BROKEN["a cut PNG"])
    assert reply.status_code == 400
    assert "Row" not in reply.json()["error"]
    assert len(ask(model_server, GOOD, GOOD).json()["predictions"]) == 2
