"""A command continues if a server does not answer for a moment."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from serving.client import ServingError, connect
from serving.rollout import commands
from serving.rollout.report.status import status
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.disk import VersionStore
from serving.rollout.steps import Step
from tests.serving.rollout.conftest import do
from tests.support.servers import ModelServer

LIMITS = commands.Limits()
LONGER_SECONDS = 3.0
"""Than any call of a rollout waits for a state."""


@pytest.fixture
def pause(server: ModelServer, checked: Deployment) -> Iterator[Callable[[], None]]:
    """Stops the server's process, until a call begun just then must have been given up."""
    waiting: list[threading.Thread] = []
    client = connect(server.grpc_url)
    assert client.status("half")
    assert checked.server.states()

    def stop() -> None:
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        waiting.append(threading.Thread(target=go_on, args=(server.process,)))
        waiting[-1].start()

    def go_on(process: subprocess.Popen[bytes]) -> None:
        with suppress(ServingError):
            client.status("half", timeout=LONGER_SECONDS)
        process.send_signal(signal.SIGCONT)

    yield stop
    for thread in waiting:
        thread.join()
    client.close()


def test_a_status_that_takes_too_long_does_not_end_a_wait(
    checked: Deployment, pause: Callable[[], None]
) -> None:
    pause()
    checked.server.wait_until_available(1, 30)


def test_an_answer_that_takes_too_long_does_not_take_a_promotion_back(
    checked: Deployment, pause: Callable[[], None]
) -> None:
    command = commands.promote(checked, "promote", 2, LIMITS)
    steps = [*command.steps[:-1], Step("hiccup", pause), command.steps[-1]]
    said = do(checked, replace(command, steps=steps))
    assert said[-1] == "  ask for stable: version 2 answers"
    assert checked.layout().stable == 2


class Killing(VersionStore):
    """A folder that is looked into just after the server was asked, and that kills it then."""

    def __init__(self, folder: Path, server: ModelServer) -> None:
        super().__init__(folder)
        self._server = server

    def versions(self) -> dict[int, Path]:
        self._server.kill()
        return super().versions()


def test_status_tells_what_it_can_when_the_server_dies_between_two_questions(
    checked: Deployment, server: ModelServer
) -> None:
    dying = replace(checked, store=Killing(checked.store.folder, server))
    try:
        found = status(dying, None, 0)
    finally:
        server.start()
        checked.server.wait_until_available(1, 30)
    assert {row.version: row.state for row in found.rows}[1] == "AVAILABLE"
    assert found.notes[-1].startswith(f"The model server at {server.grpc_url} cannot be asked: ")
