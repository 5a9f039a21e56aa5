"""The application factory, as a Flask user first tries it."""

import subprocess
import sys

import pytest

from tests.support.servers import ROOT
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


def test_the_package_alone_loads_no_flask() -> None:
    code = "import webapp, sys; sys.exit('flask' in sys.modules or 'grpc' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
