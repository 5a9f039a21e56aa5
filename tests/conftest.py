"""Fixtures for the whole tree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import SHIPPED_FLAGS, ModelServer

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """Playwright, where it and a browser are installed; one, since a second would be refused."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with playwright.sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """The local model server with the shipped model and configuration."""
    folder = tmp_path_factory.mktemp("model_server")
    with ModelServer(folder, flags=SHIPPED_FLAGS, wait_for=["us_bills"]) as server:
        yield server


@pytest.fixture(scope="session")
def grpc_url(model_server: ModelServer) -> str:
    """Where the shipped model answers over gRPC, for `serving.client.connect`."""
    return model_server.grpc_url


@pytest.fixture(scope="session")
def rest_url(model_server: ModelServer) -> str:
    """Where the shipped model answers over REST."""
    return model_server.rest_url
