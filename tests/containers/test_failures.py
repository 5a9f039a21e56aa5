"""Each container is killed under load: what the others say, and that all comes back by itself."""

import os
import time

import pytest
import requests

from tests.containers.stack import Stack
from tests.support.servers import wait_until


def crash(stack: Stack, service: str) -> None:
    """Ends a container's process as a crash would, so that the engine's restart policy applies."""
    container = stack.container(service)
    pid = container.attrs["State"]["Pid"]
    try:
        os.kill(pid, 9)
    except (PermissionError, ProcessLookupError):
        pytest.skip("the engine's processes are not this user's to kill")
    for _ in wait_until(f"{service} to be started again", time.monotonic() + 60):
        state = stack.container(service).attrs["State"]
        if state["Running"] and state["Pid"] not in (0, pid):
            return


def test_the_front_end_says_503_while_the_model_server_is_gone_and_recovers(stack: Stack) -> None:
    with stack.load() as got:
        crash(stack, "serving")
        for _ in wait_until("a refusal", time.monotonic() + 60):
            if got["503"]:
                break
        refusal = stack.predict()
        alive = requests.get(f"{stack.web_url}/livez", timeout=5)
        stack.wait_until_ready()
        answered = stack.predict()
    assert refusal.status_code in (200, 503)
    if refusal.status_code == requests.codes.unavailable:
        assert refusal.headers["Content-Type"] == "application/problem+json"
        assert int(refusal.headers["Retry-After"]) > 0
    assert alive.ok
    assert answered.ok
    assert set(got) <= {"200 by version 1", "503", "504"}, got


def test_a_killed_front_end_is_back_by_itself(stack: Stack) -> None:
    with stack.load() as got:
        crash(stack, "web")
        stack.wait_until_ready()
        answered = stack.predict()
    assert answered.ok
    assert set(got) <= {"200 by version 1", "no connection"}, got


def test_a_front_end_that_is_told_to_stop_answers_what_it_has_begun(stack: Stack) -> None:
    with stack.load() as got:
        for _ in wait_until("answers", time.monotonic() + 30):
            if got["200 by version 1"] > 10:
                break
        container = stack.container("web")
        container.stop(timeout=20)
        container.reload()
        status = container.attrs["State"]["ExitCode"]
        container.start()
        stack.wait_until_ready()
    assert status == 0
    assert set(got) <= {"200 by version 1", "no connection"}, got
