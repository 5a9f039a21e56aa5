"""Starting, stopping and losing a tier."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import requests

from tests import specimen
from tests.end_to_end.conftest import Stack
from tests.support.servers import HOST

PHOTO = specimen.encode(specimen.bill("20"), "JPEG")


def test_both_tiers_start_tell_the_address_and_stop_on_ctrl_c() -> None:
    with Stack() as stack:
        stack.wait_until_ready()
        assert stack.predict(PHOTO).status_code == 200
        stack.stop(signal.SIGINT)
        assert "serving.1 stopped" in stack.output()
        assert "web.1 stopped" in stack.output()
        assert "Traceback" not in stack.output()
        for port in stack.ports.values():
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HOST, port), timeout=1)


@pytest.mark.parametrize("lost", ["serving", "web"])
def test_when_either_tier_dies_the_other_stops_too_and_the_status_says_so(lost: str) -> None:
    with Stack() as stack:
        stack.wait_until_ready()
        os.kill(stack.pid_of(lost), signal.SIGKILL)
        assert stack.process.wait(timeout=30) != 0


@pytest.mark.parametrize(
    "variable", ["US_BILLS_GRPC_PORT", "US_BILLS_REST_PORT", "US_BILLS_WEB_PORT"]
)
def test_a_busy_port_is_named_with_the_variable_that_changes_it(variable: str) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with Stack(**{variable: port}) as stack:
            assert stack.process.wait(timeout=60) != 0
            (sentence,) = [x for x in stack.output().splitlines() if variable in x]
            assert str(port) in sentence


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_front_ends_processes_have_not_loaded_tensorflow(stack: Stack) -> None:
    assert stack.predict(PHOTO).status_code == 200
    web = stack.pid_of("web")
    family = [web, *children_of(web)]
    assert len(family) > 1
    for pid in family:
        assert "tensorflow" not in Path(f"/proc/{pid}/maps").read_text().lower()
    assert "tensorflow" in Path(f"/proc/{stack.pid_of('serving')}/maps").read_text().lower()


def children_of(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def test_a_frozen_model_server_gives_504_and_is_forgiven(stack: Stack) -> None:
    serving = stack.pid_of("serving")
    os.kill(serving, signal.SIGSTOP)
    try:
        started = time.monotonic()
        reply = stack.predict(PHOTO)
        assert reply.status_code == 504
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert time.monotonic() - started < 20
        assert requests.get(f"{stack.web_url}/livez", timeout=5).status_code == 200
    finally:
        os.kill(serving, signal.SIGCONT)
    assert stack.predict(PHOTO).status_code == 200
