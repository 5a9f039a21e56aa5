"""The other servers are fair baselines: they have the shipped weights and give the same answer."""

import time
from pathlib import Path

import pytest
import requests

from bench.contenders.engines import VERSION
from bench.contenders.weights import main as write_weights
from bench.load.processes import family
from serving.client import connect
from tests.support.servers import HOST, ROOT, START_SECONDS, free_port, wait_until
from webapp.imaging.preprocessing import open_upright, to_tensor

SHIPPED = ROOT / "models" / "us_bills" / "1"
BILL = (ROOT / "webapp" / "static" / "samples" / "five.webp").read_bytes()

for package in ("bentoml", "fastapi", "litserve", "onnxruntime", "tf2onnx", "uvicorn"):
    pytest.importorskip(package, reason="needs the packages of `make bench`")

from bench.contenders.peers import PEERS, serving  # noqa: E402  # only where they are installed


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    (folder / VERSION).symlink_to(SHIPPED)
    write_weights(SHIPPED, folder)
    return folder


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_says_what_the_model_server_says(name: str, weights: Path, grpc_url: str) -> None:
    client = connect(grpc_url)
    outputs = client.predict("us_bills", {"image": to_tensor(open_upright(BILL))[None]}).outputs
    client.close()
    port = free_port()
    with serving(name, weights, port) as process:
        told = ask(f"http://{HOST}:{port}/predict")
        assert process.poll() is None
        started = family(process.pid)
    for _ in wait_until(f"the end of {name}", time.monotonic() + 10):
        if not any(Path(f"/proc/{pid}").exists() for pid in started):
            break
    assert told["denomination"] == outputs["classes"][0, 0].decode()
    assert told["probability"] == pytest.approx(outputs["probabilities"][0, 0], abs=1e-3)


def ask(url: str) -> dict[str, str | float]:
    """The answer to a form with the bill, once the server listens."""
    form = {"image": ("five.webp", BILL, "image/webp")}
    for _ in wait_until(url, time.monotonic() + START_SECONDS):
        try:
            reply = requests.post(url, files=form, timeout=30)
        except requests.ConnectionError:
            continue
        assert reply.status_code == 200, reply.text
        told: dict[str, str | float] = reply.json()
        return told
    raise AssertionError(url)
