"""The local server replies as a real TensorFlow Serving did.

Every recorded case is either equal here, in `test_recorded_starts.py` or in
`test_recorded_timelines.py`, or it is listed in `known_differences.toml` with a reason.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.serving.exchanges import replay
from tests.serving.exchanges.comparing import same_json
from tests.serving.exchanges.recorded import KNOWN_DIFFERENCES, Case, cases
from tests.serving.exchanges.replay import HttpReply
from tests.serving.exchanges.stages import Stages

FRAME_TYPE, SETTINGS = 3, 4
"""Where a frame of HTTP/2 tells its type, and the type that comes first."""

RELOADS = range(500, 553)
TIMELINES = range(600, 650)


def of(chosen: Callable[[Case], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases(chosen), ids=lambda case: case.name)


def is_single(case: Case) -> bool:
    return case.is_exchange and case.number not in RELOADS and case.number not in TIMELINES


def is_reload(case: Case) -> bool:
    return case.is_exchange and case.number in RELOADS


@of(lambda case: is_single(case) and case.name not in KNOWN_DIFFERENCES)
def test_a_request_is_answered_as_recorded(case: Case, shared_stages: Stages) -> None:
    assert replay.difference(case, shared_stages.shared(case)) == ""


@of(lambda case: is_reload(case) and (case.name not in KNOWN_DIFFERENCES or bool(case.later)))
def test_reloads_and_what_follows_go_as_recorded(case: Case, shared_stages: Stages) -> None:
    assert shared_stages.of_reloads(case)[case.name] == ""


@of(lambda case: "instead" in KNOWN_DIFFERENCES.get(case.name, {}))
def test_a_listed_case_is_answered_as_the_list_says(case: Case, shared_stages: Stages) -> None:
    if is_reload(case):
        difference = shared_stages.of_reloads(case)[case.name]
    else:
        difference = replay.difference(case, shared_stages.shared(case))
    assert KNOWN_DIFFERENCES[case.name]["instead"] in difference


@of(lambda case: "requests_and_replies" in case.record and case.name not in KNOWN_DIFFERENCES)
def test_requests_at_once_are_answered_as_recorded(case: Case, shared_stages: Stages) -> None:
    url = f"{shared_stages.shared(case).server.rest_url}{case.record['path']}"
    recorded = case.record["requests_and_replies"]
    bodies = [entry["request"] for entry in recorded]
    if "..." in bodies:
        bodies = [{"instances": [_image(8)]}, {"instances": [_image(4)]}]
    replies = _at_once(url, bodies)
    left = [HttpReply(e["status"], "application/json", e["body"].encode()) for e in recorded]
    for reply in replies:
        same = [e for e in left if not replay.unlike(e, reply, ())]
        assert same, f"{reply} is not among {left}"
        left.remove(same[0])
    assert not left


def _image(size: int) -> Any:
    return [[[1, 2, 3]] * size] * size


def _at_once(url: str, bodies: list[Any]) -> list[HttpReply]:
    replies: list[HttpReply] = []
    ready = threading.Barrier(len(bodies))

    def ask(body: Any) -> None:
        with requests.Session() as session:
            # So that all are connected, and come within less time than one answer takes.
            session.get(url.partition(":predict")[0], timeout=60)
            ready.wait()
            reply = session.post(url, json.dumps(body), timeout=60)
        kind = reply.headers["Content-Type"]
        replies.append(HttpReply(reply.status_code, kind, reply.content))

    threads = [threading.Thread(target=ask, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


@of(lambda case: case.name == "495_http1_on_grpc_port")
def test_another_protocol_meets_the_settings_of_http2(case: Case, shared_stages: Stages) -> None:
    recorded = base64.b64decode(case.record["reply_b64"])
    port = shared_stages.shared(case).server.grpc_port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /v1/models/half HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = connection.recv(9)
    assert received[FRAME_TYPE] == recorded[FRAME_TYPE] == SETTINGS


@of(lambda case: "request_raw" in case.record)
def test_requests_in_one_write_are_answered_in_turn(case: Case, shared_stages: Stages) -> None:
    replies = _pipelined(shared_stages.shared(case).server.rest_port, case.record["request_raw"], 3)
    recorded = [f"HTTP/1.1{part}" for part in case.record["reply_raw"].split("HTTP/1.1")[1:]]
    assert len(replies) == case.record["replies_seen"] == len(recorded)
    for reply, expected in zip(replies, recorded, strict=True):
        assert reply.split("\r\n")[0] == expected.split("\r\n")[0]
        ours, theirs = (text.partition("\r\n\r\n")[2].encode() for text in (reply, expected))
        assert same_json(ours, theirs)


def _pipelined(port: int, text: str, count: int) -> list[str]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(text.encode())
        received = ""
        while received.count("\r\n\r\n") < count or not received.rstrip().endswith("}"):
            received += connection.recv(2**16).decode()
    return [f"HTTP/1.1{part}" for part in received.split("HTTP/1.1")[1:]]


@of(lambda case: "seen" in case.record)
def test_idle_connections_stay_open(case: Case, shared_stages: Stages) -> None:
    port = shared_stages.shared(case).server.rest_port
    heads = [b"", b"POST /v1/models/half:predict HTTP/1.1\r\nHo",
             b"POST /v1/models/half:predict HTTP/1.1\r\nContent-Length: 17\r\n\r\n{"]  # fmt: skip
    assert len(case.record["seen"]) == len(heads) + 1
    connections = [socket.create_connection(("127.0.0.1", port), timeout=2) for _ in heads]
    for connection, head in zip(connections, heads, strict=True):
        connection.sendall(head)
    for connection in connections:
        with connection, pytest.raises(TimeoutError):
            connection.recv(1)


def test_no_more_cases_are_listed_than_one_in_seventeen() -> None:
    everything = {case.name for case in cases(lambda _: True)}
    assert everything >= KNOWN_DIFFERENCES.keys()
    assert len(KNOWN_DIFFERENCES) < len(everything) / 17
    assert all(entry["reason"] for entry in KNOWN_DIFFERENCES.values())
