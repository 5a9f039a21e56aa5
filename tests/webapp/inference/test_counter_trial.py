"""A version of the counter on trial: its share, its answers, and when stable answers instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from serving.traffic import NO_CANARY, Splits, Traffic
from tests import specimen
from tests.support.counting import picture
from tests.support.servers import ModelServer
from tests.webapp.inference.test_traffic_split import count
from webapp.inference.traffic_split import COOKIE

PHOTO = specimen.encode(picture([("1", (10, 10, 90, 60)), ("20", (150, 20, 300, 90))]), "PNG")
STABLE, TRIED, NONSENSE, AWAY = 3, 4, 5, 9
CALLS, SECONDS = "us_bills_model_calls_total", "us_bills_model_seconds_count"

Front = Callable[..., FlaskClient]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "traffic.json"


@pytest.fixture
def front(client_for: Front, counting_server: ModelServer, file: Path) -> Front:
    """Builds the application in front of a counter of several versions."""
    return lambda **settings: client_for(
        **{
            "model_server": counting_server.grpc_url,
            "counter": "us_bills_count",
            "traffic_file": str(file),
        }
        | settings
    )


@pytest.fixture
def client(front: Front) -> FlaskClient:
    return front()


def share(file: Path, counter: Traffic, **others: Traffic) -> None:
    """Writes the file as rollouts do."""
    file.write_text(Splits({"us_bills_count": counter, **others}).text())


def send(client: FlaskClient, query: str = "", photo: bytes = PHOTO) -> TestResponse:
    reply = client.post(f"/predict{query}", data=photo, content_type="image/png")
    assert reply.status_code == 200, reply.text
    return reply


def ask(client: FlaskClient, query: str = "", photo: bytes = PHOTO) -> dict[str, Any]:
    answer: dict[str, Any] = send(client, query, photo).get_json()
    return answer


def counted_by(answer: dict[str, Any]) -> tuple[str, int]:
    """The label and the version that counted the bills."""
    assert answer["predictions"][0]["total"] == 21
    return answer["count"]["label"], answer["count"]["version"]


def calls(client: FlaskClient, version: int, **labels: str) -> float:
    return count(client, CALLS, model="us_bills_count", version=str(version), **labels)


def test_its_share_is_taken_up_and_given_back_without_a_restart(
    client: FlaskClient, file: Path
) -> None:
    assert counted_by(ask(client)) == ("stable", STABLE)
    share(file, Traffic(TRIED, 100))
    assert counted_by(ask(client)) == ("canary", TRIED)
    file.unlink()
    assert counted_by(ask(client)) == ("stable", STABLE)


def test_the_classifier_is_asked_for_stable_all_the_same(client: FlaskClient, file: Path) -> None:
    share(file, Traffic(TRIED, 100))
    assert ask(client)["model"] == {"name": "us_bills", "version": 1, "label": "stable"}


def test_a_client_keeps_its_version_of_both_models(client: FlaskClient, file: Path) -> None:
    one, other = Traffic(TRIED, 50), Traffic(1, 50)
    share(file, one, us_bills=other)
    for bucket in range(0, 10_000, 1_250):
        client.set_cookie(COOKIE, str(bucket))
        expected = ["canary" if each.takes(bucket) else "stable" for each in (one, other)]
        for _ in range(2):
            answer = ask(client)
            assert [answer["count"]["label"], answer["model"]["label"]] == expected


def test_the_page_numbers_a_client_while_only_the_counter_has_a_trial(
    client: FlaskClient, file: Path
) -> None:
    share(file, Traffic(TRIED, 50))
    assert COOKIE in client.get("/").headers["Set-Cookie"]
    assert "Set-Cookie" not in send(client).headers


def test_by_request_one_client_is_counted_for_by_both_sides(
    client: FlaskClient, file: Path
) -> None:
    share(file, Traffic(TRIED, 50, by="request"))
    # Each side alone has a chance of one in a billion.
    assert {counted_by(ask(client))[0] for _ in range(30)} == {"stable", "canary"}


@pytest.mark.parametrize("query", ["?version=1", "?label=stable"])
def test_a_request_that_names_a_version_is_in_no_trial(
    client: FlaskClient, file: Path, query: str
) -> None:
    share(file, Traffic(TRIED, 100))
    assert counted_by(ask(client, query)) == ("stable", STABLE)


def test_what_is_not_counted_is_in_no_trial(client: FlaskClient, file: Path) -> None:
    share(file, Traffic(TRIED, 50))
    assert "Set-Cookie" not in send(client, "?count=0").headers
    assert calls(client, TRIED) == calls(client, STABLE) == 0


@pytest.mark.parametrize(
    ("version", "result"), [(AWAY, "NotServed"), (NONSENSE, "BadReply")], ids=["gone", "nonsense"]
)
def test_where_it_fails_stable_counts_and_the_failure_is_counted(
    client: FlaskClient, file: Path, version: int, result: str, caplog: pytest.LogCaptureFixture
) -> None:
    share(file, Traffic(version, 100))
    # A failed canary is no reason to leave stable in peace.
    for _ in range(2):
        assert counted_by(ask(client)) == ("stable", STABLE)
    assert calls(client, version, sent_as="canary", result=result) == 2
    assert calls(client, STABLE, sent_as="stable", result="ok") == 2
    expected = f"canary version {version} of us_bills_count failed, stable counts: {result}"
    assert sum(expected in line for line in caplog.messages) == 2


def test_it_gets_half_of_the_time_and_stable_the_rest(front: Front, file: Path) -> None:
    client = front(counter_timeout=2.0)
    share(file, Traffic(TRIED, 100))
    slow = specimen.encode(picture([], slow=True), "PNG")
    assert ask(client, photo=slow)["count"] == {"available": False, "reason": "late"}
    assert calls(client, TRIED, sent_as="canary", result="DeadlineExceeded") == 1
    # It never answered, so its version is not known.
    late = count(client, CALLS, version="unknown", sent_as="stable", result="DeadlineExceeded")
    assert late == 1
    # With half of the time, stable says nothing about the next photo.
    share(file, NO_CANARY)
    assert counted_by(ask(client)) == ("stable", STABLE)


def test_its_calls_are_counted_apart_from_those_of_stable_and_of_the_classifier(
    client: FlaskClient, file: Path
) -> None:
    ask(client)
    share(file, Traffic(TRIED, 100))
    ask(client)
    assert calls(client, TRIED, sent_as="canary", result="ok") == 1
    assert calls(client, STABLE, sent_as="stable", result="ok") == 1
    assert count(client, SECONDS, model="us_bills_count", version=str(TRIED)) == 1
    assert count(client, CALLS, model="us_bills", version="1", sent_as="stable") == 2
    told = client.get("/metrics").text
    assert f'us_bills_stable_version{{model="us_bills_count"}} {STABLE}.0' in told
    assert 'us_bills_canary_percent{model="us_bills_count"} 100.0' in told
    assert 'us_bills_canary_percent{model="us_bills"} 0.0' in told


def test_over_rest_it_is_known_by_its_number(
    front: Front, counting_server: ModelServer, file: Path
) -> None:
    client = front(model_server=counting_server.rest_url)
    share(file, Traffic(TRIED, 100))
    assert counted_by(ask(client)) == ("canary", TRIED)
    assert calls(client, TRIED, sent_as="canary", result="ok") == 1


def test_without_a_counter_there_is_no_trial_of_it(front: Front, file: Path) -> None:
    client = front(counter="")
    share(file, Traffic(TRIED, 100))
    assert ask(client)["count"] == {"available": False, "reason": "switched_off"}
    assert "us_bills_count" not in client.get("/metrics").text.replace("us_bills_counts", "")
