"""The front end within the test's own process, with the real model server behind it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.servers import ModelServer
from webapp.app import create_app
from webapp.settings import Settings


@pytest.fixture
def client_for(model_server: ModelServer) -> Iterator[Callable[..., FlaskClient]]:
    """Builds the application with some settings of its own."""
    apps = []
    # A busy machine is no failure.
    usual: dict[str, Any] = {
        "model_server": model_server.grpc_url,
        "timeout": 60.0,
        # Named where bills are to be counted: it would double the time of all tests.
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
    """The application as it is set by default, but for its patience."""
    return client_for()
