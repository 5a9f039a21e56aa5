"""A version whose loading kills the server is removed from the file immediately; stable returns."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.rollout import commands, loading
from serving.rollout.errors import Refused
from serving.rollout.state.config import Layout
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Step
from serving.traffic import NO_CANARY, Traffic
from tests.serving import models
from tests.serving.rollout.checked import believe
from tests.serving.rollout.conftest import do
from tests.support.servers import ModelServer

DEADLY = 9


@pytest.fixture
def deadly(checked: Deployment, tmp_path: Path) -> Iterator[Path]:
    """A version that ends the server while it is loaded, by its warm-up request."""
    version = models.save(models.Deadly(), tmp_path / "1")
    models.write_warmup(version, {"x": np.array([1], np.float32)})
    published = models.publish(version, checked.store.folder, DEADLY)
    believe(checked, published)
    yield published
    shutil.rmtree(published)


@contextmanager
def started_again(server: ModelServer) -> Iterator[list[int]]:
    """Starts a server again whenever it ends, as an engine does; gives its exit statuses."""
    ends: list[int] = []
    done = threading.Event()

    def look_after() -> None:
        while not done.wait(0.05):
            status = server.process.poll() if server.process else None
            if status is not None:
                ends.append(status)
                server.launch()

    thread = threading.Thread(target=look_after)
    thread.start()
    try:
        yield ends
    finally:
        done.set()
        thread.join()


def with_deadly(deployment: Deployment) -> Layout:
    return deployment.layout().with_version(DEADLY)


@pytest.mark.parametrize("command", ["canary", "promote", "canary that was cut off"])
def test_a_version_that_ends_the_server_while_it_loads_is_taken_out_and_stable_answers_again(
    checked: Deployment, server: ModelServer, deadly: Path, command: str
) -> None:
    steps = (
        commands.promote(checked, "promote", DEADLY, commands.Limits())
        if command == "promote"
        else commands.canary(checked, "canary", Traffic(DEADLY, 10.0), commands.Limits())
    )
    if command.endswith("cut off"):
        # Just before it is loaded, since a server that looks at the file ends by it.
        at = [step.name for step in steps.steps].index("load")
        left = Step("what is left", lambda: checked.config.write(with_deadly(checked)))
        steps = replace(steps, steps=[*steps.steps[:at], left, *steps.steps[at:]])
    with started_again(server) as ends:
        with pytest.raises(Refused, match=rf"while it loaded version {DEADLY}.*answers again"):
            do(checked, steps)
        # One that was started before the file was written ends once more.
        assert 1 <= len(ends) <= 2
        assert checked.layout().versions == {1}
        assert checked.traffic() == NO_CANARY
        assert set(checked.server.versions_of("stable").values()) == {1}


def test_a_server_that_stays_away_is_told_so(
    checked: Deployment, server: ModelServer, deadly: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BACK_SECONDS", 0.5)
    command = commands.canary(checked, "canary", Traffic(DEADLY, 10.0), commands.Limits())
    try:
        with pytest.raises(Refused, match=r"stable does not answer yet after 0\.5 s"):
            do(checked, command)
        assert checked.layout().versions == {1}
    finally:
        server.kill()
        server.start()
        checked.server.wait_until_available(1, 30)
