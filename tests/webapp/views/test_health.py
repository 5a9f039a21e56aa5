"""Liveness and readiness are separate; a missing model server is reported with an explanation."""

import io
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests import specimen
from tests.support.servers import SHIPPED_FLAGS, ModelServer, free_port, wait_until
from tests.webapp.server import FrontEnd
from webapp.app import create_app
from webapp.settings import Settings

BILL = specimen.encode(specimen.bill("20"), "JPEG")


def predict(client: FlaskClient, query: str = "") -> tuple[int, str | None]:
    reply = client.post(f"/predict{query}", data={"image": (io.BytesIO(BILL), "a.jpg")})
    return reply.status_code, reply.headers.get("Retry-After")


def wait_until_stopped(pid: int) -> None:
    """Waits until a process has got SIGSTOP: its threads may go on for a moment."""
    for _ in wait_until("the process to be stopped", time.monotonic() + 30):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return


def test_alive_and_ready(client: FlaskClient) -> None:
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_it_is_not_ready_while_its_label_points_at_nothing(
    client_for: Callable[..., FlaskClient],
) -> None:
    assert client_for(model_label="canary").get("/readyz").status_code == 503
    assert client_for(model_label="").get("/readyz").status_code == 200


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_without_a_model_server_it_is_alive_but_not_ready(scheme: str) -> None:
    away = create_app(Settings(model_server=f"{scheme}://127.0.0.1:{free_port()}")).test_client()
    assert predict(away) == (503, "2")  # 504 would say that it had waited
    assert away.get("/livez").status_code == 200
    not_ready = away.get("/readyz")
    assert not_ready.status_code == 503
    assert not_ready.headers["Retry-After"] == "2"
    assert not_ready.mimetype == "application/problem+json"


def test_it_recovers_by_itself_once_the_model_server_is_back(tmp_path: Path) -> None:
    server = ModelServer(tmp_path, flags=SHIPPED_FLAGS, wait_for=["us_bills"])
    with FrontEnd(server.grpc_url) as front_end:
        assert front_end.predict(BILL).status_code == 503
        with server:
            front_end.wait_for("/readyz", 200)
            assert front_end.predict(BILL).status_code == 200
        gone = front_end.predict(BILL)
        assert (gone.status_code, gone.headers["Retry-After"]) == (503, "2")
        with server:
            front_end.wait_for("/readyz", 200, seconds=10)
            assert front_end.predict(BILL).status_code == 200


def test_a_model_that_is_not_served_is_not_ready(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(model_name="coins")
    assert client.get("/readyz").status_code == 503
    assert predict(client) == (503, "2")


def test_our_own_label_missing_is_503_but_the_callers_is_404(
    client_for: Callable[..., FlaskClient],
) -> None:
    client = client_for(model_label="next")
    assert predict(client) == (503, "2")
    assert predict(client, "?label=next") == (404, None)
    assert predict(client, "?version=1") == (200, None)


def test_no_label_asks_for_the_newest_version(client_for: Callable[..., FlaskClient]) -> None:
    reply = client_for(model_label="").post("/predict", data=BILL, content_type="image/jpeg")
    assert reply.get_json()["model"]["label"] is None


def test_an_answer_that_takes_too_long_is_504(
    client_for: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    with ModelServer(tmp_path, flags=SHIPPED_FLAGS, wait_for=["us_bills"]) as server:
        client = client_for(model_server=server.grpc_url, timeout=2)
        assert predict(client) == (200, None)
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGSTOP)
        wait_until_stopped(server.process.pid)
        assert predict(client) == (504, None)
        os.kill(server.process.pid, signal.SIGCONT)
