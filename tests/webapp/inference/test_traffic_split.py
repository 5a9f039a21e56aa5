"""A share of the clients tries the version on trial, without any harm to clients."""

from __future__ import annotations

import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from serving.client import ServingError, connect
from serving.traffic import NO_CANARY, Splits, Traffic
from tests import specimen
from tests.support.servers import ModelServer
from webapp.inference.calls import CallCounts
from webapp.inference.model import Model, PhotoBatch, PredictionRequest, PredictionResponse
from webapp.inference.shadow import WAITING, Shadow
from webapp.inference.traffic_split import COOKIE, TrafficFile
from webapp.settings import Settings

PHOTO = specimen.encode(specimen.bill("20", width=300), "JPEG")
# The one version that the shipped server has is on trial here, too.
HERE, AWAY = 1, 9
IMAGES = np.zeros((1, 224, 224, 3), np.uint8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "traffic.json"


@pytest.fixture
def client(client_for: Callable[..., FlaskClient], file: Path) -> FlaskClient:
    return client_for(traffic_file=str(file))


def predict(client: FlaskClient, query: str = "", **headers: str) -> TestResponse:
    reply = client.post(f"/predict{query}", data=PHOTO, content_type="image/jpeg", headers=headers)
    assert reply.status_code == 200, reply.text
    return reply


def write(file: Path, traffic: Traffic, model: str = "us_bills") -> None:
    """Writes the file as a rollout of one model does."""
    file.write_text(Splits({model: traffic}).text())


def label(reply: TestResponse) -> str:
    model: dict[str, Any] = reply.get_json()["model"]
    assert model["version"] == HERE
    named: str = model["label"]
    return named


def count(client: FlaskClient, name: str, **labels: str) -> float:
    """A counter of `/metrics`, 0 where it is not there yet."""
    for line in client.get("/metrics").text.splitlines():
        if line.startswith(f"{name}{{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


def test_without_a_traffic_file_stable_answers_all_and_no_cookie_is_set(
    client: FlaskClient,
) -> None:
    reply = predict(client)
    assert label(reply) == "stable"
    assert "Set-Cookie" not in reply.headers
    assert "Set-Cookie" not in client.get("/").headers


def test_the_share_of_a_trial_is_taken_up_and_given_back_without_a_restart(
    client: FlaskClient, file: Path
) -> None:
    write(file, Traffic(HERE, 100))
    assert label(predict(client)) == "canary"
    write(file, Traffic(HERE, 0))
    assert label(predict(client)) == "stable"
    write(file, Traffic(HERE, 100))
    assert label(predict(client)) == "canary"
    file.unlink()
    assert label(predict(client)) == "stable"


def test_the_trial_of_another_model_is_none_of_the_classifier(
    client: FlaskClient, file: Path
) -> None:
    write(file, Traffic(HERE, 100), "us_bills_count")
    assert label(predict(client)) == "stable"
    traffic = TrafficFile(str(file), "us_bills")
    assert (traffic.current(), traffic.current("us_bills_count")) == (NO_CANARY, Traffic(HERE, 100))


def test_a_file_of_before_there_were_several_models_is_about_the_classifier(
    client: FlaskClient, file: Path
) -> None:
    file.write_text('{"canary": 1, "percent": 100, "shadow": false, "by": "client"}')
    assert label(predict(client)) == "canary"
    assert TrafficFile(str(file), "us_bills").current("us_bills_count") == NO_CANARY


def test_a_client_keeps_its_version(client: FlaskClient, file: Path) -> None:
    traffic = Traffic(HERE, 50)
    write(file, traffic)
    for bucket in range(0, 10_000, 1_250):
        client.set_cookie(COOKIE, str(bucket))
        expected = "canary" if traffic.takes(bucket) else "stable"
        assert {label(predict(client)) for _ in range(2)} == {expected}


def test_the_cookie_is_a_small_number_that_scripts_and_other_sites_never_see(
    client: FlaskClient, file: Path
) -> None:
    write(file, Traffic(HERE, 50))
    cookie = client.get("/").headers["Set-Cookie"]
    assert re.fullmatch(rf"{COOKIE}=\d{{1,4}}; .*HttpOnly; Path=/; SameSite=Lax", cookie)
    assert "Set-Cookie" not in client.get("/").headers
    assert "Set-Cookie" not in predict(client).headers


def test_a_client_without_a_cookie_is_known_by_its_address(
    client_for: Callable[..., FlaskClient], file: Path
) -> None:
    write(file, Traffic(HERE, 50))
    labels = set()
    for last in range(1, 21):
        client = client_for(traffic_file=str(file))
        client.environ_base["REMOTE_ADDR"] = f"192.0.2.{last}"
        first = predict(client)
        assert COOKIE in first.headers["Set-Cookie"]
        # The cookie goes on where the address began.
        assert label(predict(client)) == label(first)
        labels.add(label(first))
    assert labels == {"stable", "canary"}


def test_by_request_one_client_is_answered_by_both_sides_and_gets_no_cookie(
    client: FlaskClient, file: Path
) -> None:
    write(file, Traffic(HERE, 50, by="request"))
    replies = [predict(client) for _ in range(30)]
    # Each side alone has a chance of one in a billion.
    assert {label(reply) for reply in replies} == {"stable", "canary"}
    assert not any("Set-Cookie" in reply.headers for reply in [*replies, client.get("/")])


@pytest.mark.parametrize("value", ["", "x", "10000", "-1", "1" * 4000, "²"])
def test_a_made_up_cookie_is_replaced(client: FlaskClient, file: Path, value: str) -> None:
    write(file, Traffic(HERE, 50))
    client.set_cookie(COOKIE, value)
    assert COOKIE in predict(client).headers["Set-Cookie"]


@pytest.mark.parametrize(("query", "expected"), [("?label=stable", "stable"), ("?version=1", None)])
def test_a_request_that_names_a_version_gets_that_one(
    client: FlaskClient, file: Path, query: str, expected: str | None
) -> None:
    write(file, Traffic(HERE, 100))
    assert label(predict(client, query)) == expected


def test_a_request_that_the_canary_fails_is_answered_by_stable_and_counted(
    client: FlaskClient, file: Path
) -> None:
    write(file, Traffic(AWAY, 100))
    assert label(predict(client)) == "stable"
    calls = "us_bills_model_calls_total"
    of = {"model": "us_bills"}
    assert count(client, calls, version="9", sent_as="canary", result="NotServed", **of) == 1
    assert count(client, calls, version="1", sent_as="stable", result="ok", **of) == 1


def test_a_failure_of_a_label_is_counted_for_the_version_that_it_led_to(
    model_server: ModelServer,
) -> None:
    counted: list[tuple[int | None, str, str]] = []
    client = connect(model_server.grpc_url)
    calls = CallCounts(lambda *call: counted.append(call[:3]))
    model = Model(Settings(), client, calls)
    query, batch = PredictionRequest(label="stable"), PhotoBatch(IMAGES, [None])
    model.ask(batch, query, time.monotonic() + 20)
    client.close()
    away = Model(Settings(), connect("grpc://127.0.0.1:1"), calls)
    with pytest.raises(ServingError):
        away.ask(batch, query, time.monotonic() + 20)
    assert counted == [(1, "stable", "ok"), (1, "stable", "Unavailable")]


def test_a_broken_file_keeps_the_last_good_share_and_is_reported(
    client: FlaskClient, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(file, Traffic(HERE, 100))
    assert label(predict(client)) == "canary"
    file.write_text('{"canary": 1, "perc')
    for _ in range(2):
        assert label(predict(client)) == "canary"
    (told,) = [x for x in caplog.messages if "cannot be used" in x]
    assert "the last good one stays: Expected JSON" in told


def test_a_file_that_could_not_be_opened_is_tried_again_at_the_next_request(file: Path) -> None:
    write(file, Traffic(HERE, 100))
    traffic = TrafficFile(str(file), "us_bills")
    with no_more_files():
        assert traffic.current() == NO_CANARY
    assert traffic.current() == Traffic(HERE, 100)


@contextmanager
def no_more_files() -> Iterator[None]:
    """Lets this process open nothing, as when too many connections are open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_page_of_metrics_tells_what_a_rollout_changed(client: FlaskClient, file: Path) -> None:
    predict(client)
    write(file, Traffic(HERE, 25))
    told = client.get("/metrics").text
    assert f'us_bills_stable_version{{model="us_bills"}} {HERE}.0' in told
    assert 'us_bills_canary_percent{model="us_bills"} 25.0' in told


def test_behind_a_proxy_the_clients_address_and_scheme_count(
    client_for: Callable[..., FlaskClient], file: Path
) -> None:
    write(file, Traffic(HERE, 50))

    def bucket_and_secure(proxies: int, address: str) -> tuple[str, bool]:
        client = client_for(traffic_file=str(file), proxies=proxies)
        headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
        client.post("/predict", data=PHOTO, content_type="image/jpeg", headers=headers)
        cookie = client.get_cookie(COOKIE)
        assert cookie is not None
        return cookie.value, bool(cookie.secure)

    one, other = (bucket_and_secure(1, f"192.0.2.{n}") for n in (1, 2))
    assert one[0] != other[0]
    assert (one[1], other[1]) == (True, True)
    one, other = (bucket_and_secure(0, f"192.0.2.{n}") for n in (1, 2))
    assert one == other
    assert one[1] is False


def test_a_shadow_gets_copies_whose_answers_are_compared_and_never_shown(
    client: FlaskClient, file: Path
) -> None:
    for version, result in ((HERE, "same"), (AWAY, "failed")):
        write(file, Traffic(version, 0, shadow=True))
        assert label(predict(client)) == "stable"
        labels = {"model": "us_bills", "version": str(version), "result": result}
        deadline = time.monotonic() + 20
        while not count(client, "us_bills_shadow_total", **labels):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"grpc://127.0.0.1:{server.getsockname()[1]}"


def test_copies_that_come_too_fast_are_dropped_and_no_request_waits(silent: str) -> None:
    client = connect(silent)
    counted: list[tuple[int, str]] = []
    model = Model(Settings(timeout=5.0), client)
    shadow = Shadow(model, lambda version, result: counted.append((version, result)))
    batch, answer = PhotoBatch(IMAGES, [None]), PredictionResponse({}, [{"denomination": "20"}])
    for _ in range(WAITING + 5):
        shadow.send(batch, PredictionRequest(label="stable"), 2, answer)
    # One may have left the queue for its thread.
    assert counted.count((2, "dropped")) in (4, 5)
    client.close()
