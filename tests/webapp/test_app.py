"""The application factory, as a Flask user first tries it."""

import os
import subprocess
import sys
import time

import pytest
import requests

from tests.support.servers import HOST, ROOT, ModelServer, free_port, wait_until
from webapp import create_app


def test_create_app_takes_its_settings_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("US_BILLS_MODEL_NAME", "another")
    app = create_app()
    assert app.extensions["settings"].model_name == "another"
    assert app.test_client().get("/livez").json == {"status": "alive"}
    app.extensions["model_server"].close()


def test_flask_finds_the_application_by_the_package_name() -> None:
    command = [sys.executable, "-m", "flask", "--app", "webapp", "routes"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "/predict" in done.stdout


def test_flasks_own_server_answers_a_photo(model_server: ModelServer) -> None:
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "webapp", "run", "--port", str(port)]
    settings = {"US_BILLS_MODEL_SERVER": model_server.grpc_url, "US_BILLS_COUNTER": ""}
    settings["US_BILLS_TIMEOUT"] = "60"
    five = (ROOT / "webapp" / "static" / "samples" / "five.webp").read_bytes()
    url = f"http://{HOST}:{port}"
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | settings, stderr=subprocess.DEVNULL
    ) as server:
        try:
            for _ in wait_until("Flask's server", time.monotonic() + 30):
                if is_alive(url):
                    break
            reply = requests.post(f"{url}/predict", files={"image": five}, timeout=60)
        finally:
            server.terminate()
    assert reply.status_code == 200
    assert reply.json()["predictions"][0]["denomination"] == "5"


def is_alive(url: str) -> bool:
    try:
        return requests.get(f"{url}/livez", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_the_package_alone_loads_no_flask() -> None:
    code = "import webapp, sys; sys.exit('flask' in sys.modules or 'grpc' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
