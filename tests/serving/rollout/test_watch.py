"""What a canary must keep to, and what becomes of one that does not."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from serving.rollout import moves
from serving.rollout import site as site_module
from serving.rollout import watch as watch_module
from serving.rollout.errors import Refused
from serving.rollout.figures import Figures
from serving.rollout.site import Site
from serving.rollout.watch import Guard, watch
from serving.traffic import NO_CANARY, Traffic
from tests.serving.rollout.conftest import do

GUARD = Guard(error_rate=0.02, latency_ratio=2.0, disagreement=0.1, least=20)
STABLE = Figures(requests=1000, p50=0.04, p95=0.1)


def test_a_good_canary_stays() -> None:
    canary = Figures(100, 2, 0.05, 0.2, compared=100, different=10)
    assert GUARD.objection(canary, STABLE) is None


@pytest.mark.parametrize(
    ("canary", "reason"),
    [
        (Figures(100, 3, 0.05, 0.1), "3 of 100 requests failed (3.0%, at most 2.0%)"),
        (Figures(100, 0, 0.05, 0.21), "p95 210 ms is 2.1 times stable's (at most 2)"),
        (
            Figures(100, 0, 0.05, 0.1, compared=50, different=6),
            "6 of 50 answers differ from stable's (12.0%, at most 10.0%)",
        ),
    ],
)
def test_a_canary_that_passes_a_limit_must_go(canary: Figures, reason: str) -> None:
    assert GUARD.objection(canary, STABLE) == reason


@pytest.mark.parametrize(
    "canary", [Figures(19, 19), Figures(19, 0, 1.0, 9.0), Figures(19, 0, compared=19, different=19)]
)
def test_few_requests_say_nothing(canary: Figures) -> None:
    assert GUARD.objection(canary, STABLE) is None


def test_a_latency_is_not_compared_with_a_stable_that_nobody_asks() -> None:
    assert GUARD.objection(Figures(100, 0, 1.0, 9.0), Figures()) is None


@pytest.fixture
def failing() -> Iterator[str]:
    """A front end's page of counts, on which the canary fails more at each look."""
    looks = 0

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal looks
            looks += 1
            labels = 'version="2",sent_as="canary",result="Unavailable"'
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"us_bills_model_calls_total{{{labels}}} {30 * looks}\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_canary_that_fails_is_rolled_back_and_the_reason_is_kept(
    checked: Site, failing: str
) -> None:
    do(checked, moves.canary(checked, "canary 2", Traffic(2, 10.0), moves.Limits()))
    reason = watch(checked, failing, GUARD, print, every=0.05, seconds=20)
    assert reason == "30 of 30 requests failed (100.0%, at most 2.0%)"
    assert checked.traffic() == NO_CANARY
    assert checked.layout().labels == {"stable": 1}
    assert reason in checked.history.lines()[-1]["command"]


def test_a_watch_that_meets_another_command_tries_again(
    checked: Site, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_module, "LOCK_SECONDS", 0.1)
    checked.share(Traffic(2, 10.0))
    said: list[str] = []
    other = checked.exclusive("promote 2")
    other.__enter__()

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("Another rollout is under way"):
            other.__exit__(None, None, None)

    assert watch(checked, failing, GUARD, say, every=0.05, seconds=20)
    assert any("`promote 2` by" in line for line in said)
    assert checked.traffic() == NO_CANARY


def test_looks_that_are_further_apart_than_the_window_are_still_judged(
    checked: Site, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "WINDOW_SECONDS", 0.001)
    checked.share(Traffic(2, 10.0))
    assert watch(checked, failing, GUARD, print, every=0.05, seconds=5) is not None


def test_a_canary_stays_under_guard_when_the_traffic_file_is_damaged(
    checked: Site, failing: str
) -> None:
    checked.share(Traffic(2, 10.0))
    patient = Guard(error_rate=0.02, least=50)

    def say(line: str) -> None:
        if line.startswith("version 2: 30 requests"):
            checked.traffic_file.write_text("{")

    assert watch(checked, failing, patient, say, every=0.05, seconds=20) is not None
    assert checked.traffic() == NO_CANARY


def test_the_watch_ends_with_the_trial(checked: Site, failing: str) -> None:
    checked.share(Traffic(2, 10.0))
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        checked.share(NO_CANARY)

    anything_goes = Guard(error_rate=1.0)
    assert watch(checked, failing, anything_goes, say, every=0.05, seconds=20) is None
    assert said[-1] == "version 2 is no canary any more"


def test_without_a_canary_there_is_nothing_to_watch(site: Site, failing: str) -> None:
    with pytest.raises(Refused, match="There is no canary to watch"):
        watch(site, failing, GUARD, print, every=0.05, seconds=1)
