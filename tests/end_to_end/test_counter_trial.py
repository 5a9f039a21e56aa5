"""A failing canary of the counter is rolled back by its metrics, and photos are still answered."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from serving.rollout.cli import main
from serving.rollout.state.deployment import Deployment
from serving.traffic import NO_CANARY, Traffic
from tests import specimen
from tests.support.counting import picture, serving_both
from tests.support.servers import ModelServer
from tests.webapp.server import FrontEnd

COUNTER = "us_bills_count"
STABLE, NONSENSE = 3, 5
PHOTO = specimen.encode(picture([("20", (10, 10, 90, 60)), ("1", (100, 10, 190, 60))]), "PNG")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ModelServer]:
    """One of its own, since its configuration changes."""
    with serving_both(tmp_path) as running:
        yield running


@contextmanager
def photos(front_end: FrontEnd) -> Iterator[list[Any]]:
    """Sends photos without a pause; the replies are collected."""
    replies: list[Any] = []
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            replies.append(front_end.predict(PHOTO).json())

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield replies
    finally:
        over.set()
        sender.join()


def figures(command: list[str], capsys: pytest.CaptureFixture[str]) -> dict[int, Any]:
    """What `status` says of each version."""
    capsys.readouterr()
    assert main([*command, "status", "--json"]) == 0
    return {row["version"]: row["figures"] for row in json.loads(capsys.readouterr().out)["rows"]}


def test_a_canary_that_fails_is_rolled_back_by_its_own_counts(
    server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Deployment.at(server.config_file, model=COUNTER, server=server.grpc_url)
    # As `canary` leaves it; that command would refuse this version.
    made.apply(made.layout().with_labels(canary=NONSENSE))
    made.write_split(Traffic(NONSENSE, 50, by="request"))
    settings = {"US_BILLS_COUNTER": COUNTER, "US_BILLS_TRAFFIC_FILE": str(made.traffic_file)}
    with FrontEnd(server.grpc_url, **settings) as front_end:
        front_end.wait_for("/readyz", 200)
        site = [f"--config={server.config_file}", f"--server={server.grpc_url}"]
        of_both = [*site, f"--webapp={front_end.url}"]
        command = [*of_both, f"--model={COUNTER}"]
        with photos(front_end) as replies:
            assert main([*command, "watch", "--every", "0.5", "--seconds", "60"]) == 3
            assert f"rolling version {NONSENSE} back: failed" in capsys.readouterr().out
        assert made.traffic() == NO_CANARY
        assert made.layout().labels == {"stable": STABLE}
        counted = figures(command, capsys)
        assert counted[NONSENSE]["errors"] == counted[NONSENSE]["requests"] > 5
        assert counted[STABLE]["errors"] == 0
        # Each photo was counted all the same, by stable.
        assert counted[STABLE]["requests"] == len(replies)
        totals = itertools.chain(*([p["total"] for p in r["predictions"]] for r in replies))
        assert set(totals) == {21}
        assert figures(of_both, capsys)[1]["errors"] == 0
    made.server.close()
