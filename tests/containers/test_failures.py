"""Each container is killed under load: what the other one answers, and that both recover."""

import contextlib
import os
import threading
import time
from http.client import HTTPConnection

import pytest
import requests

from tests.containers.stack import PHOTO, Stack
from tests.support.servers import HOST, wait_until


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
    container = stack.container("web")
    with contextlib.ExitStack() as cleanup:
        begun = [cleanup.enter_context(contextlib.closing(HalfSent(stack))) for _ in range(6)]
        wait_until_begun(stack)
        stop = threading.Thread(target=container.stop, kwargs={"timeout": 20})
        stop.start()
        wait_until_nobody_new_is_answered(stack)
        answers = [request.send_the_rest() for request in begun]
        stop.join()
    container.reload()
    status = container.attrs["State"]["ExitCode"]
    container.start()
    stack.wait_until_ready()
    assert answers == [requests.codes.ok] * len(begun)
    assert status == 0


class HalfSent:
    """A request with one half of a photo on its way, and the other still in the phone."""

    def __init__(self, stack: Stack) -> None:
        self._connection = HTTPConnection(HOST, stack.ports["US_BILLS_WEB_PORT"], timeout=30)
        self._connection.putrequest("POST", "/predict")
        self._connection.putheader("Content-Type", "image/jpeg")
        self._connection.putheader("Content-Length", str(len(PHOTO)))
        self._connection.endheaders(PHOTO[: len(PHOTO) // 2])

    def send_the_rest(self) -> int:
        """Returns the status of the answer."""
        self._connection.send(PHOTO[len(PHOTO) // 2 :])
        return self._connection.getresponse().status

    def close(self) -> None:
        self._connection.close()


def wait_until_begun(stack: Stack) -> None:
    """Waits until the front end has all requests before this one: it accepts them in order."""
    requests.get(f"{stack.web_url}/livez", timeout=5).raise_for_status()


def wait_until_nobody_new_is_answered(stack: Stack) -> None:
    for _ in wait_until("new requests to be refused", time.monotonic() + 30):
        try:
            requests.get(f"{stack.web_url}/livez", timeout=2)
        except requests.RequestException:
            return
