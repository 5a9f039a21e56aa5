"""Earlier counter values can be requested, so that any client can compute what happened since."""

import itertools
import threading
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from webapp.telemetry import metrics_history
from webapp.telemetry.metrics_history import MetricsHistory


def test_the_oldest_page_within_the_time_is_given_with_its_age(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics_history, "EVERY_SECONDS", 0.01)
    number, third = itertools.count(), threading.Event()

    def take() -> bytes:
        now = next(number)
        if now == 3:
            third.set()
        return str(now).encode()

    pages = MetricsHistory(take)
    threading.Thread(target=pages.keep, daemon=True).start()
    third.wait()
    age, page = pages.page(300)
    assert (page, 0 < age < 300) == (b"0", True)
    _, page = pages.page(0)
    assert int(page) > 3


def test_a_page_that_cannot_be_taken_does_not_end_the_history(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics_history, "EVERY_SECONDS", 0.01)
    number, later = itertools.count(), threading.Event()

    def take() -> bytes:
        if next(number) == 0:
            raise OSError("no file is free")
        later.set()
        return b"later"

    pages = MetricsHistory(take)
    threading.Thread(target=pages.keep, daemon=True).start()
    assert later.wait(30)
    assert "the metrics of this moment cannot be kept" in caplog.text


def test_before_the_first_page_it_is_that_of_now() -> None:
    assert MetricsHistory(lambda: b"now").page(300) == (0.0, b"now")


def test_the_page_of_counts_can_be_had_as_it_was(client: FlaskClient) -> None:
    reply = client.get("/metrics?ago=300")
    assert reply.status_code == 200
    assert reply.headers["Age"] == "0"
    assert "us_bills_requests_running" in reply.text
    assert "us_bills_model_server_ready" not in reply.text


@pytest.mark.parametrize("ago", ["", "301", "-1", "1.5", "x", "9" * 50])
def test_a_time_that_is_none_is_refused(client_for: Callable[..., FlaskClient], ago: str) -> None:
    reply = client_for().get(f"/metrics?ago={ago}")
    assert reply.status_code == 400
    assert "Expected 0 to 300 seconds" in reply.get_json()["detail"]
