"""The client behaves the same over both protocols, and has an error for each kind of failure."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.client import (
    BadReply,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    NotServed,
    ServingError,
    Unavailable,
    VersionStatus,
    connect,
)
from serving.client.channel import open_channel
from serving.client.grpc import GrpcClient
from serving.wire import methods
from tests.serving.conftest import CONFIG, LABELS
from tests.support.servers import HOST, ModelServer, free_port, wait_until

X = {"x": np.array([1, 2], np.float32)}


def test_a_prediction_gives_arrays_by_output_name(client: Client) -> None:
    prediction = client.predict("half", X, version=1)
    assert prediction.outputs["y"].dtype == np.float32
    assert prediction.outputs["y"].tolist() == [2.5, 3.0]
    assert prediction.version == 1


def test_the_latest_version_answers_unless_another_is_asked_for(client: Client) -> None:
    assert client.predict("half", X).outputs["y"].tolist() == [4.5, 5.0]
    assert client.predict("half", X, label="stable").outputs["y"].tolist() == [2.5, 3.0]


def test_strings_come_back_as_bytes_and_flags_as_bools(client: Client) -> None:
    inputs = {"text": np.array(["é", b"\xff\x00a"], np.object_)}
    outputs = client.predict("strings", inputs).outputs
    assert outputs["echo"].tolist() == outputs["echo_bytes"].tolist() == ["é".encode(), b"\xff\0a"]
    assert outputs["length"].tolist() == [2, 3]
    assert outputs["short"].dtype == np.bool_


def test_two_models_are_asked_at_the_same_time(client: Client) -> None:
    half = client.begin_predict("half", X, label="stable")
    strings = client.begin_predict("strings", {"text": np.array([b"a"], np.object_)})
    assert strings.result().outputs["echo"].tolist() == [b"a"]
    assert half.result().outputs["y"].tolist() == [2.5, 3.0]


def test_what_was_begun_fails_as_what_is_asked(client: Client) -> None:
    missing = client.begin_predict("nobody", X)
    wrong = client.begin_predict("half", {"x": np.array(["a"], np.object_)})
    slow = client.begin_predict("slow", {"n": np.array(100_000, np.int32)}, timeout=0.2)
    with pytest.raises(NotServed):
        missing.result()
    with pytest.raises(InvalidRequest):
        wrong.result()
    with pytest.raises(DeadlineExceeded):
        slow.result()


def test_the_time_of_what_was_begun_ends_with_its_answer(client: Client) -> None:
    for model in ("half", "nobody"):
        call = client.begin_predict(model, X)
        with contextlib.suppress(NotServed):
            call.result()
        for _ in wait_until("the clock to stop", time.monotonic() + 10):
            seconds = call.seconds
            time.sleep(0.01)
            if call.seconds == seconds:
                break


def test_what_was_begun_and_is_cancelled_keeps_nobody_waiting(client: Client) -> None:
    client.begin_predict("slow", {"n": np.array(3000, np.int32)}, timeout=60).cancel()
    assert client.predict("half", X, version=1).outputs["y"].tolist() == [2.5, 3.0]


def test_status_lists_versions_newest_first(client: Client) -> None:
    expected = [VersionStatus(number, "AVAILABLE", "OK", "") for number in (3, 2, 1)]
    assert client.status("half") == expected


def test_signatures_are_named_for_the_version_or_label_asked_for(client: Client) -> None:
    assert "serving_default" in client.signatures("half")
    assert client.signatures("half", version=1) == client.signatures("half")
    for choice in ({"version": 9}, {"label": "canary"}):
        with pytest.raises(NotServed):
            client.signatures("half", **choice)


@pytest.mark.parametrize("choice", [{"version": 9}, {"label": "canary"}])
def test_an_unknown_version_or_label_is_not_served(client: Client, choice: dict[str, int]) -> None:
    with pytest.raises(NotServed):
        client.predict("half", X, **choice)  # type: ignore[arg-type]


def test_an_unknown_model_is_not_served(client: Client) -> None:
    with pytest.raises(NotServed, match="nope"):
        client.predict("nope", X)
    with pytest.raises(NotServed, match="nope"):
        client.status("nope")


def test_what_the_signature_does_not_take_is_an_invalid_request(client: Client) -> None:
    with pytest.raises(InvalidRequest):
        client.predict("half", {"z": X["x"]})
    with pytest.raises(InvalidRequest, match="no_such_signature"):
        client.predict("half", X, signature="no_such_signature")


def test_version_and_label_together_make_no_sense(client: Client) -> None:
    with pytest.raises(ValueError, match="a version or a label"):
        client.predict("half", X, version=1, label="stable")


def test_a_slow_model_exceeds_the_deadline(client: Client) -> None:
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):  # the answer would take minutes
        client.predict("slow", {"n": np.array(100_000, np.int32)}, timeout=0.5)
    assert time.monotonic() - started < 10


def test_one_client_serves_many_threads(client: Client) -> None:
    answers: list[float] = []

    def ask(number: int) -> None:
        x = {"x": np.array([number], np.float32)}
        answers.append(
            client.predict("half", x, version=1, timeout=60).outputs["y"][0] - number / 2
        )

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [2.0] * 24


def test_a_large_request_and_a_large_reply_pass(client: Client) -> None:
    size = 500_000 if type(client).__name__ == "RestClient" else 2_500_000
    outputs = client.predict("half", {"x": np.ones(size, np.float32)}).outputs
    assert outputs["y"].shape == (size,)


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_a_server_that_is_not_there_is_unavailable_at_once(kind: str) -> None:
    client = connect(f"{kind}://127.0.0.1:{free_port()}")
    started = time.monotonic()
    with pytest.raises(Unavailable):
        client.predict("half", X, timeout=30)
    assert time.monotonic() - started < 15
    client.close()


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_a_server_that_takes_calls_and_says_nothing_exceeds_the_deadline(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = connect(f"{kind}://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises((DeadlineExceeded, Unavailable)):
            client.status("half", timeout=0.5)
        assert time.monotonic() - started < 10
        client.close()


def test_a_reply_that_comes_byte_by_byte_exceeds_the_deadline() -> None:
    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(2**16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            for _ in range(100):
                time.sleep(0.1)
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        client = connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            client.status("half", timeout=0.5)
        assert time.monotonic() - started < 5
        client.close()


@pytest.fixture
def restartable(small_models: Path, tmp_path: Path) -> Iterator[ModelServer]:
    server = ModelServer(tmp_path, [LABELS], CONFIG.format(small_models), wait_for=["half"])
    with server:
        yield server


def test_calls_work_again_by_themselves_after_the_server_is_back(restartable: ModelServer) -> None:
    clients = [connect(restartable.grpc_url), connect(restartable.rest_url)]
    for client in clients:
        client.predict("half", X)
    restartable.kill()
    for client in clients:
        assert _refused_within(client, seconds=2)
    restartable.start()
    for client in clients:
        assert _works_within(client, seconds=1.5)
        client.close()


def test_another_server_answers_what_one_took_with_it_when_it_ended(
    restartable: ModelServer, small_server: ModelServer
) -> None:
    client = connect(f"grpc://{restartable.grpc_address},{small_server.grpc_address}")
    # Both are connected by then, and calls go to one and the other in turn.
    for _ in range(20):
        client.predict("half", X)
        time.sleep(0.02)
    with futures.ThreadPoolExecutor(2) as pool:
        long = {"n": np.array(600, np.int32)}
        asked = [pool.submit(client.predict, "slow", long, timeout=60.0) for _ in range(2)]
        time.sleep(0.3)
        restartable.kill()
        assert [one.result().outputs["trace"].item() for one in asked] == [400.0, 400.0]
    client.close()


@pytest.mark.parametrize("reply", [b"hello", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"])
def test_something_that_is_no_model_server_gives_a_bad_reply(reply: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as strange:
        threading.Thread(target=_answer_once, args=(strange, reply), daemon=True).start()
        client = connect(f"http://127.0.0.1:{strange.getsockname()[1]}")
        with pytest.raises((BadReply, Unavailable)):
            client.status("half")
        client.close()


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b'{"model_version_status": [{"version": 1e999, "state": "", "status": {}}]}'],
    ids=["nested too deeply", "a number too large"],
)
def test_json_that_python_cannot_hold_gives_a_bad_reply(body: bytes) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with socket.create_server(("127.0.0.1", 0)) as strange:
        threading.Thread(target=_answer_once, args=(strange, reply), daemon=True).start()
        client = connect(f"http://127.0.0.1:{strange.getsockname()[1]}")
        with pytest.raises(BadReply):
            client.status("half")
        client.close()


@pytest.mark.parametrize(
    "url",
    [
        *[
            "",
            "127.0.0.1:8500",
            "ftp://a:1",
            "grpc://a",
            "http://a:1/v1",
            "grpc://10.0.0.1:1,name:2",
        ],
        *["http://a..b:1", f"http://{'a' * 64}:1", "grpc://a b:1", "grpc://a@b:1", "grpc://a:0"],
        *["http://a:1#b", "http://a:1?b", "http://[a:1", "grpc://a:99999", "grpc://999.0.0.1:1"],
        *["grpc://10.0.0.1:0,10.0.0.2:1", "grpc://10.0.0.1:99999,10.0.0.2:1"],
        *["grpc://999.0.0.1:1,10.0.0.2:1", "grpc://10.0.0.1:1, 10.0.0.2:1", "grpc://[::g]:1"],
    ],
)
def test_a_url_of_another_form_is_refused_with_the_forms_expected(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"Expected: grpc\(s\)://host:port or http\(s\)://host:port"
    ):
        connect(url)


def test_calls_are_shared_among_the_addresses_of_a_name() -> None:
    counts = [0, 0]

    def server(number: int) -> tuple[grpc.Server, int]:
        def answer(_request: bytes, _context: grpc.ServicerContext) -> bytes:
            counts[number] += 1
            return b""

        service, _, method = methods.GET_MODEL_STATUS.strip("/").rpartition("/")
        handlers: dict[str, Any] = {method: grpc.unary_unary_rpc_method_handler(answer)}
        one = grpc.server(futures.ThreadPoolExecutor(1))
        one.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
        port = one.add_insecure_port(f"{HOST}:0")
        one.start()
        return one, port

    (first, a), (second, b) = server(0), server(1)
    client = GrpcClient(open_channel(f"ipv4:{HOST}:{a},{HOST}:{b}"))
    try:
        for _ in wait_until("both to be asked", time.monotonic() + 10):
            client.status("us_bills")
            if min(counts) >= 10:
                break
    finally:
        client.close()
        for one in (first, second):
            one.stop(None)


def _refused_within(client: Client, seconds: float) -> bool:
    started = time.monotonic()
    with pytest.raises(Unavailable):
        client.predict("half", X)
    return time.monotonic() - started < seconds


def _works_within(client: Client, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return bool(client.predict("half", X).outputs["y"][0] == 4.5)
        except ServingError:
            time.sleep(0.05)
    return False


def _answer_once(server: socket.socket, reply: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(2**16)
        connection.sendall(reply)
