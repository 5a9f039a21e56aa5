"""The load generator plays clients, and reports the answers that they received."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bench.load.generator import Generator, Load, Target
from tests.support.servers import HOST, free_port


class Answers(BaseHTTPRequestHandler):
    """Answers with the status that the path names, and keeps the connection unless it says so."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(int(self.path.rpartition("/")[2]))
        if not self.path.startswith("/endless"):
            self.send_header("Content-Length", str(len(body)))
        if self.path.startswith("/close"):
            self.send_header("Connection", "close")
        self.end_headers()
        if self.path.startswith("/cut"):
            body, self.close_connection = body[:-1], True
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer((HOST, 0), Answers)
    Thread(target=server.serve_forever).start()
    yield f"http://{HOST}:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def generator() -> Iterator[Generator]:
    with Generator() as running:
        yield running


@pytest.fixture
def body(tmp_path: Path) -> str:
    file = tmp_path / "body"
    file.write_bytes(bytes(5000))
    return str(file)


def load(generator: Generator, url: str, body: str) -> Load:
    return generator.load(Target(url, body), clients=3, seconds=0.2)


def test_each_answer_is_timed_and_its_bytes_are_counted(
    generator: Generator, url: str, body: str
) -> None:
    found = load(generator, f"{url}/200", body)
    assert found.statuses == {"200": len(found.milliseconds)}
    assert len(found.milliseconds) >= 3
    assert 5000 < found.sent < 5300
    assert 5000 < found.received < 5300
    assert sum(found.milliseconds) / 1000 <= 3 * found.seconds


def test_refusals_are_counted_and_not_timed(generator: Generator, url: str, body: str) -> None:
    found = load(generator, f"{url}/429", body)
    assert set(found.statuses) == {"429"}
    assert not found.milliseconds


@pytest.mark.parametrize("how", ["cut", "endless"])
def test_a_reply_that_has_no_end_is_no_answer_and_the_next_is_asked_for_anew(
    generator: Generator, url: str, body: str, how: str
) -> None:
    found = load(generator, f"{url}/{how}/200", body)
    assert set(found.statuses) == {"0"}
    assert found.statuses["0"] > 3


def test_a_connection_that_the_server_closes_is_made_anew(
    generator: Generator, url: str, body: str
) -> None:
    found = load(generator, f"{url}/close/200", body)
    assert set(found.statuses) == {"200"}
    assert found.statuses["200"] > 3


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_there_is_counted_as_no_answer(generator: Generator, body: str, scheme: str) -> None:
    found = load(generator, f"{scheme}://{HOST}:{free_port()}", body)
    assert set(found.statuses) == {"0"}


def test_it_speaks_grpc(generator: Generator, grpc_url: str, tmp_path: Path) -> None:
    from serving.wire import messages_pb2 as pb
    from serving.wire.tensors import to_proto
    from tests import specimen
    from webapp.imaging.preprocessing import to_tensor

    request = pb.PredictRequest(model_spec=pb.ModelSpec(name="us_bills"))
    request.inputs["image"].CopyFrom(to_proto(to_tensor(specimen.bill("20"))[None]))
    message = tmp_path / "message"
    message.write_bytes(request.SerializeToString())
    found = load(generator, grpc_url, str(message))
    assert set(found.statuses) == {"200"}
    assert found.received > 100
