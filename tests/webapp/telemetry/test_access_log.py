"""Every reply names its request and reports the time of its stages; the counters add up."""

import io
import threading
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from serving.concurrency import FairSemaphore
from tests import specimen
from tests.support.servers import free_port

BILL = specimen.encode(specimen.bill("20", width=320), "JPEG")


def test_a_request_keeps_the_id_that_it_comes_with(client: FlaskClient) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "a-1"}).headers["X-Request-ID"] == "a-1"


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "é"])
def test_an_id_that_could_harm_a_log_is_replaced(client: FlaskClient, given: str) -> None:
    new = client.get("/nowhere", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert len(new) == 32
    assert new != given


def test_the_stages_of_a_prediction_are_told(client_for: Callable[..., FlaskClient]) -> None:
    client = client_for(counter="us_bills_count")
    reply = client.post("/predict", data=BILL, content_type="image/jpeg")
    stages = [part.split(";dur=")[0] for part in reply.headers["Server-Timing"].split(", ")]
    assert stages == ["queue", "decode", "preprocess", "model", "count"]


def test_there_is_nothing_to_compare_with_what_a_browser_kept(client: FlaskClient) -> None:
    with client.get("/static/page.css") as reply:
        assert not {"ETag", "Last-Modified"} & set(reply.headers.keys())


def test_answers_rejections_and_the_model_servers_state_are_counted(client: FlaskClient) -> None:
    answer = client.post("/predict", data=BILL, content_type="image/jpeg").get_json()
    said = answer["predictions"][0]["denomination"] or "unsure"
    client.post("/predict", data=b"text", content_type="image/jpeg")
    told = client.get("/metrics").text
    assert f'us_bills_answers_total{{answer="{said}",version="1"}} 1.0' in told
    assert 'us_bills_rejections_total{reason="NotAnImage"} 1.0' in told
    assert 'us_bills_stage_seconds_count{stage="model"} 1.0' in told
    assert "us_bills_model_server_ready 1.0" in told


def test_a_model_server_that_is_away_is_counted_as_not_ready(
    client_for: Callable[..., FlaskClient],
) -> None:
    away = client_for(model_server=f"grpc://127.0.0.1:{free_port()}")
    assert "us_bills_model_server_ready 0.0" in away.get("/metrics").text


def test_a_request_without_a_place_in_time_gets_429(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(at_once=1, timeout=0.1)
    places: FairSemaphore = client.application.extensions["places"]
    assert places.acquire(0)
    refused = client.post("/predict", data={"image": (io.BytesIO(BILL), "a.jpg")})
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert refused.mimetype == "application/problem+json"


def test_a_request_with_a_place_in_time_is_answered(client_for: Callable[..., FlaskClient]) -> None:
    client = client_for(at_once=1)
    places: FairSemaphore = client.application.extensions["places"]
    assert places.acquire(0)
    soon = threading.Timer(0.2, places.release)
    soon.start()
    reply = client.post("/predict", data=BILL, content_type="image/jpeg")
    soon.join()
    assert reply.status_code == 200
    assert places.acquire(0), "its place was not given back"


@pytest.mark.parametrize(
    ("origin", "allowed"), [("https://a.example", True), ("https://b.c", False)]
)
def test_only_the_sites_in_the_settings_may_ask(
    client_for: Callable[..., FlaskClient], origin: str, allowed: bool
) -> None:
    reply = client_for(cors_origins="https://a.example").get("/livez", headers={"Origin": origin})
    assert reply.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://[::1]:8080", True), ("https://1:8080", False), ("https://[::1]:80801", False)],
)
def test_an_address_in_brackets_is_no_pattern(
    client_for: Callable[..., FlaskClient], origin: str, allowed: bool
) -> None:
    reply = client_for(cors_origins="https://[::1]:8080").get("/livez", headers={"Origin": origin})
    assert ("Access-Control-Allow-Origin" in reply.headers) == allowed


def test_a_made_up_method_and_a_long_path_stay_small_in_the_log_and_the_metrics(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="webapp.requests")
    for n in range(3):
        client.open(f"/{n}" + "x" * 3000, method=f"MADEUP{n}")
    fields = [record.__dict__["fields"] for record in caplog.records]
    assert max(len(each["path"]) for each in fields) <= 200
    assert "MADEUP" not in client.get("/metrics").text
    assert 'endpoint="unknown",method="other"' in client.get("/metrics").text


def test_a_site_that_may_ask_may_send_a_photo_and_read_what_it_is_told(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(cors_origins="https://a.example")
    asked = {
        "Origin": "https://a.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, x-request-id",
    }
    allowed = client.options("/predict", headers=asked).headers
    assert allowed["Access-Control-Allow-Origin"] == "https://a.example"
    assert "POST" in allowed["Access-Control-Allow-Methods"]
    assert allowed["Access-Control-Allow-Headers"].lower() == "content-type, x-request-id"
    told = client.get("/livez", headers={"Origin": "https://a.example"}).headers
    assert {"X-Request-ID", "Retry-After"} <= set(told["Access-Control-Expose-Headers"].split(", "))


def test_what_the_model_server_said_is_in_the_requests_own_log_line(
    client_for: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
) -> None:
    away = client_for(model_server=f"grpc://127.0.0.1:{free_port()}")
    with caplog.at_level("INFO", logger="webapp.requests"):
        away.post("/predict", data=BILL, content_type="image/jpeg")
    (record,) = caplog.records
    assert record.fields["problem"] == "Unavailable"  # type: ignore[attr-defined]
    assert "connect" in record.fields["reason"]  # type: ignore[attr-defined]


def test_by_default_no_other_site_may_ask(client: FlaskClient) -> None:
    reply = client.options("/predict", headers={"Origin": "https://a.example"})
    assert "Access-Control-Allow-Origin" not in reply.headers
