"""The front end as a process: how it starts, what it prints, how it ends, what it never loads."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import requests

from bench.load.processes import children_of
from tests import specimen
from tests.support.servers import HOST, ROOT, ModelServer, free_port, wait_until
from tests.webapp.server import FrontEnd

PART_OF_A_REQUEST = b"\r\n".join(
    [
        b"POST /predict HTTP/1.1",
        b"Host: x",
        b"Content-Type: image/jpeg",
        b"Content-Length: 99",
        b"",
        b"half",
    ]
)
BILL = specimen.encode(specimen.bill("20"), "JPEG")


@pytest.fixture(scope="module")
def front_end(model_server: ModelServer) -> Iterator[FrontEnd]:
    with FrontEnd(model_server.grpc_url) as running:
        running.wait_for("/readyz", 200)
        yield running


def test_it_answers_over_http(front_end: FrontEnd) -> None:
    reply = front_end.predict(BILL)
    assert reply.status_code == 200
    assert len(reply.json()["predictions"]) == 1


def test_a_chunked_body_is_read_to_its_end(front_end: FrontEnd) -> None:
    reply = requests.post(
        f"{front_end.url}/predict",
        data=iter([BILL[:1000], BILL[1000:]]),
        headers={"Content-Type": "image/jpeg"},
        timeout=60,
    )
    assert reply.status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: foo\r\n\r\n", 501),
    ],
    ids=["no HTTP", "bad length", "long address", "long header", "unknown coding"],
)
def test_bytes_that_are_no_request_are_refused_as_every_other_error(
    front_end: FrontEnd, sent: bytes, status: int
) -> None:
    with socket.create_connection((HOST, front_end.port), timeout=10) as connection:
        connection.sendall(sent)
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        problem = json.load(reply)
    assert (reply.status, problem["status"]) == (status, status)
    assert reply.reason == http.HTTPStatus(status).phrase
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert len(reply.headers["X-Request-ID"]) == 32
    assert problem["detail"]


@pytest.mark.parametrize(
    "headers",
    [{"SCRIPT_NAME": "/elsewhere"}, {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"}],
    ids=lambda headers: next(iter(headers)),
)
def test_a_client_on_this_machine_cannot_speak_as_a_proxy(
    front_end: FrontEnd, headers: dict[str, str]
) -> None:
    assert requests.get(f"{front_end.url}/livez", headers=headers, timeout=10).status_code == 200


@pytest.mark.parametrize("sent", [b"", b"POST /pre", PART_OF_A_REQUEST])
def test_clients_that_fall_silent_do_not_keep_others_waiting(
    model_server: ModelServer, sent: bytes
) -> None:
    settings = {"US_BILLS_THREADS": "2", "US_BILLS_SILENCE": "0.5"}
    with FrontEnd(model_server.grpc_url, **settings) as running, ExitStack() as connections:
        for _ in range(4):
            silent = socket.create_connection((HOST, running.port))
            connections.enter_context(silent).sendall(sent)
        assert requests.get(f"{running.url}/livez", timeout=15).status_code == 200


def test_a_picture_that_stops_arriving_is_a_request_time_out(model_server: ModelServer) -> None:
    with (
        FrontEnd(model_server.grpc_url, US_BILLS_SILENCE="0.5") as running,
        socket.create_connection((HOST, running.port), timeout=10) as connection,
    ):
        connection.sendall(PART_OF_A_REQUEST)
        reply = connection.recv(4096)
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in reply


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(front_end: FrontEnd, chunked: bool) -> None:
    large = bytes(30_000_000)
    reply = requests.post(
        f"{front_end.url}/predict",
        data=iter([large]) if chunked else large,
        headers={"Content-Type": "image/jpeg"},
        timeout=60,
    )
    assert reply.status_code == 413
    assert "20 MB" in reply.json()["detail"]


def test_a_body_that_breaks_off_does_not_harm_the_next_request(front_end: FrontEnd) -> None:
    with socket.create_connection(("127.0.0.1", front_end.port)) as half:
        half.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n")
        half.sendall(b"Content-Length: 100000\r\n\r\n" + BILL[:500])
    reply = front_end.predict(BILL)
    assert reply.status_code == 200


def test_it_says_once_where_it_can_be_opened(front_end: FrontEnd) -> None:
    lines = [line for line in front_end.output().splitlines() if line.startswith("us-bills")]
    assert lines == [f"us-bills is ready: open {front_end.url}"]


def test_it_logs_a_json_line_for_each_request_without_the_picture(front_end: FrontEnd) -> None:
    reply = requests.post(
        f"{front_end.url}/predict?x=1",
        files={"image": BILL},
        headers={"X-Request-ID": "the-one"},
        timeout=60,
    )
    [line] = front_end.lines_about("the-one")
    assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 200)
    assert (line["version"], line["label"]) == (1, "stable")
    assert line["top"] == [next(iter(reply.json()["predictions"][0]["probabilities"]))]
    assert line["stages"].keys() == {"queue", "decode", "preprocess", "model"}
    assert len(json.dumps(line)) < 700


def test_several_workers_count_together_also_those_that_are_gone(model_server: ModelServer) -> None:
    # Six processes that decode start at once, each of them with the first photo that it gets.
    settings = {"US_BILLS_WORKERS": "3", "US_BILLS_TIMEOUT": "60"}
    with FrontEnd(model_server.grpc_url, **settings) as running:
        running.wait_for("/readyz", 200)
        for _ in range(12):
            assert running.predict(BILL).status_code == 200
            assert running.predict(b"text").status_code == 400
        os.kill(children_of(running.process.pid)[0], signal.SIGKILL)
        # One that has just been forked would not hear the signal that ends the test.
        for _ in wait_until("three workers", time.monotonic() + 60):
            workers = children_of(running.process.pid)
            if len(workers) == 3 and all(children_of(worker) for worker in workers):
                break
        told = [requests.get(f"{running.url}/metrics", timeout=10).text for _ in range(6)]
    for count in (
        'us_bills_requests_total{endpoint="api.predict",method="POST",status="200"} 12.0',
        'us_bills_rejections_total{reason="NotAnImage"} 12.0',
        'us_bills_stage_seconds_count{stage="model"} 12.0',
        'us_bills_stable_version{model="us_bills"} 1.0',
    ):
        assert all(count in text for text in told), count


def test_a_request_that_trickles_gives_its_thread_back(model_server: ModelServer) -> None:
    settings = {"US_BILLS_THREADS": "1", "US_BILLS_PATIENCE": "1"}
    with FrontEnd(model_server.grpc_url, **settings) as running, trickle(running.port):
        assert requests.get(f"{running.url}/livez", timeout=30).status_code == 200


@contextmanager
def trickle(port: int) -> Iterator[None]:
    """Sends the head of a request byte by byte, each soon enough to seem alive."""
    stop = threading.Event()
    connection = socket.create_connection((HOST, port))

    def send() -> None:
        with suppress(OSError):
            for byte in PART_OF_A_REQUEST * 100:
                connection.sendall(bytes([byte]))
                if stop.wait(0.2):
                    break

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join()
        connection.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly(how: signal.Signals) -> None:
    with FrontEnd(f"grpc://127.0.0.1:{free_port()}") as running:
        assert running.stop(how) == 0
        assert "Traceback" not in running.output()


def test_a_busy_port_is_named_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        sentence = refusal(US_BILLS_WEB_PORT=str(port))
    assert f"127.0.0.1:{port}" in sentence
    assert "US_BILLS_WEB_PORT" in sentence


@pytest.mark.parametrize(
    ("host", "reason"),
    [("nowhere.invalid", "Name or service not known"), ("ü" * 70, "encoding of hostname failed")],
    ids=["unknown", "too long"],
)
def test_a_host_that_is_none_is_named_with_the_reason(host: str, reason: str) -> None:
    sentence = refusal(US_BILLS_HOST=host)
    assert reason in sentence
    assert "US_BILLS_HOST" in sentence


def test_a_bad_setting_is_named_at_once() -> None:
    sentence = refusal(US_BILLS_MODEL_SERVER="localhost:8500")
    assert sentence.startswith("US_BILLS_MODEL_SERVER: expected an address")


def test_help_lists_the_settings() -> None:
    help_text = run_python("-m", "webapp", "--help")
    assert "US_BILLS_WEB_PORT" in help_text
    assert "5000" in help_text


def test_the_front_end_does_not_load_tensorflow() -> None:
    script = (
        "import sys\n"
        "from webapp.app import create_app\n"
        "from webapp.settings import Settings\n"
        "create_app(Settings())\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'keras')))"
    )
    assert run_python("-c", script).strip() == "[]"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        # Training uses it too.
        ("webapp.imaging.preprocessing", "flask"),
        # A front end has several such processes.
        ("webapp.decoding.worker", "numpy"),
    ],
)
def test_a_part_does_without_what_only_others_need(module: str, absent: str) -> None:
    script = f"import sys, {module}; print({absent!r} in sys.modules)"
    assert run_python("-c", script).strip() == "False"


def refusal(**settings: str) -> str:
    """The one line that the front end prints when it will not start."""
    done = subprocess.run(
        [sys.executable, "-m", "webapp"],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    return line


def run_python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout
