"""The front end within the test's process, connected to the real model server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.servers import ModelServer
from webapp.app import create_app
from webapp.settings import Settings


@pytest.fixture
def client_for(model_server: ModelServer) -> Iterator[Callable[..., FlaskClient]]:
    """Builds an application for each call, with the given settings."""
    apps = []
    # Long timeouts, so that a busy machine causes no failure.
    usual: dict[str, Any] = {
        "model_server": model_server.grpc_url,
        "timeout": 60.0,
        # Set only by tests that count bills: a counter would double the time of all tests.
        "counter": "",
        "counter_timeout": 60.0,
    }

    def build(**settings: Any) -> FlaskClient:
        apps.append(create_app(Settings(**(usual | settings))))
        return apps[-1].test_client()

    yield build
    for app in apps:
        app.extensions["model_server"].close()


@pytest.fixture
def client(client_for: Callable[..., FlaskClient]) -> FlaskClient:
    """The application with default settings, except for its timeouts and counter."""
    return client_for()
