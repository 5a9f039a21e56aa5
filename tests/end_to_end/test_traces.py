"""A request's trace passes through both tiers: in logs, in problems, and in spans if enabled."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import requests

from tests import specimen
from tests.support.collector import Collector
from tests.support.servers import SHIPPED_FLAGS, ModelServer, free_port
from tests.webapp.server import FrontEnd

PHOTO = specimen.encode(specimen.bill("20"), "JPEG")
CALLER = "00f067aa0ba902b7"


@pytest.fixture
def trace() -> str:
    """Each test has its own: a server sends its spans seconds later, maybe during the next test."""
    return uuid.uuid4().hex


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def server(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    flags = [*SHIPPED_FLAGS, f"--otlp={collector.url}"]
    with ModelServer(tmp_path_factory.mktemp("server"), flags, wait_for=["us_bills"]) as running:
        yield running


def headers_of(trace: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{CALLER}-01", "X-Request-ID": "traced"}


def post(front_end: FrontEnd, trace: str, body: bytes = PHOTO) -> requests.Response:
    headers = headers_of(trace) | {"Content-Type": "image/jpeg"}
    return requests.post(f"{front_end.url}/predict", data=body, headers=headers, timeout=60)


@pytest.mark.parametrize("protocol", ["gRPC", "REST"])
def test_the_trace_is_in_the_log_line(server: ModelServer, protocol: str, trace: str) -> None:
    with FrontEnd(server.grpc_url if protocol == "gRPC" else server.rest_url) as front_end:
        front_end.wait_for("/readyz", 200)
        assert post(front_end, trace).status_code == 200
        (line,) = front_end.lines_about("traced")
        assert line["trace_id"] == trace
        requests.post(f"{front_end.url}/predict", headers={"X-Request-ID": "plain"}, timeout=60)
        (line,) = front_end.lines_about("plain")
        assert "trace_id" not in line


def test_the_model_server_takes_part_in_the_callers_trace(
    server: ModelServer, collector: Collector, trace: str
) -> None:
    with FrontEnd(server.grpc_url) as front_end:
        front_end.wait_for("/readyz", 200)
        assert post(front_end, trace).status_code == 200
        spans = collector.of_trace(trace, {"us-bills-serving"})
    # Those of both models.
    predicts = [span for span in spans if span.name.endswith("/Predict")]
    assert {span.parent for span in predicts} == {CALLER}
    assert {span.attributes["rpc.method"] for span in predicts} == {"Predict"}


def test_a_problem_tells_the_trace(trace: str) -> None:
    with FrontEnd(f"grpc://127.0.0.1:{free_port()}") as front_end:
        # Refused before a decoding process, which may still start, is asked.
        problem = post(front_end, trace, b"").json()
        assert (problem["status"], problem["trace_id"]) == (422, trace)
        front_end.wait_for("/livez", 200)
        assert "trace_id" not in requests.post(f"{front_end.url}/predict", timeout=60).json()


def test_spans_show_the_way_of_a_photo_through_both_tiers(
    server: ModelServer, collector: Collector, trace: str
) -> None:
    settings = {"US_BILLS_OTLP": collector.url}
    with FrontEnd(server.grpc_url, **settings) as front_end:
        front_end.wait_for("/readyz", 200)
        assert post(front_end, trace).status_code == 200
        (line,) = front_end.lines_about("traced")
        assert line["trace_id"] == trace
        # What is left is sent at the end.
        assert front_end.stop() == 0
        spans = collector.of_trace(trace, {"us-bills-web", "us-bills-serving"})
    by_name = {span.name.rpartition("/")[2]: span for span in spans}
    request, model = by_name["predict"], by_name["model"]
    assert request.parent == CALLER
    assert request.attributes["http.response.status_code"] == 200
    assert {by_name[name].parent for name in ("queue", "decode", "model")} == {request.id}
    assert by_name["Predict"].parent == model.id
    assert not any(span.failed for span in spans)


def test_a_failed_request_is_a_failed_span(collector: Collector, trace: str) -> None:
    away = f"grpc://127.0.0.1:{free_port()}"
    with FrontEnd(away, US_BILLS_OTLP=collector.url) as front_end:
        assert post(front_end, trace).status_code == 503
        assert front_end.stop() == 0
        spans = collector.of_trace(trace, {"us-bills-web"})
    assert {span.name.rpartition("/")[2] for span in spans if span.failed} == {"predict", "model"}


def test_a_collector_that_is_away_costs_no_request(server: ModelServer, trace: str) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with FrontEnd(server.grpc_url, US_BILLS_OTLP=away) as front_end:
        front_end.wait_for("/readyz", 200)
        assert post(front_end, trace).status_code == 200


def test_a_probe_makes_no_span(collector: Collector, trace: str) -> None:
    away = f"grpc://127.0.0.1:{free_port()}"
    with FrontEnd(away, US_BILLS_OTLP=collector.url) as front_end:
        requests.get(f"{front_end.url}/livez", headers=headers_of(trace), timeout=60)
        assert front_end.stop() == 0
    assert trace not in {span.trace for span in collector.spans}
