"""The memory of uploads is bounded for all of them together, and is released."""

import base64
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import specimen
from tests.webapp.sending import Watched, send
from webapp.uploads.memory_budget import MemoryBudget

BILL = specimen.encode(specimen.bill("20", width=320), "JPEG")


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_more_bytes_than_the_budget_are_503_and_are_given_back(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(bytes_at_once=2 * len(BILL))
    refused = send(client, BILL + b"x")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "2"
    assert refused.mimetype == "application/problem+json"
    assert [send(client, BILL).status_code for _ in range(3)] == [200] * 3


def test_a_data_url_counts_more_since_taking_it_apart_makes_copies(
    client_for: Callable[..., FlaskClient],
) -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(BILL).decode()
    client = client_for(bytes_at_once=4 * len(url))
    assert client.post("/predict", json={"image": url}).status_code == 503


def test_a_body_is_asked_for_as_much_again_as_has_come_however_little_is_wanted() -> None:
    body = Watched(bytes(range(256)) * 10_000)
    environ: dict[str, Any] = {"wsgi.input": body}
    with MemoryBudget(6_000_000).reserve(environ):
        pieces = list(iter(lambda: environ["wsgi.input"].read(50_000), b""))
    assert b"".join(pieces) == body.getvalue()
    assert max(map(len, pieces)) == 50_000
    assert [size // 1024 for size in body.asked] == [64, 64, 128, 256, 512, 1024, 1024, 1024]


@pytest.mark.usefixtures("traced")
def test_bytes_that_were_read_are_not_kept_while_the_request_goes_on() -> None:
    left = 2_000_000
    environ: dict[str, Any] = {"wsgi.input": Watched(bytes(left))}
    before, _ = tracemalloc.get_traced_memory()
    with MemoryBudget(6_000_000).reserve(environ):
        # As Werkzeug does: it knows the length, and does not ask for what is behind the end.
        while left:
            left -= len(environ["wsgi.input"].read(100_000))
        held, most = tracemalloc.get_traced_memory()
    assert most - before > 500_000
    assert held - before < 50_000
