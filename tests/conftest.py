"""Fixtures for all tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.counting import serving_both
from tests.support.servers import SHIPPED_FLAGS, ModelServer

CHROMIUM = Path("/usr/bin/chromium")


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
    """Assigns whole folders to a process: their tests share servers, images and trained models."""

    def _split_scope(self, nodeid: str) -> str:
        """Returns the group of tests that must run in one process.

        The recordings, which take a third of the total time, are a separate group.
        """
        file = nodeid.partition("::")[0]
        return file if file.endswith("test_recorded_replies.py") else str(Path(file).parent)


SLOW = (
    "training",
    "browser",
    "containers",
    "training/export",
    "end_to_end",
    "training/counting",
    "serving/rollout",
)
"""The folders that take minutes, slowest first: one that began last would run on alone."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    """Runs the tests by folder under `--numprocesses`, in the order of the collection."""
    config.option.loadscopereorder = False
    return ByFolder(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Moves the slow folders to the front, in the processes of `--numprocesses`."""
    if hasattr(config, "workerinput"):
        place = {Path(__file__).parent / name: place for place, name in enumerate(SLOW)}
        items.sort(key=lambda item: place.get(item.path.parent, len(place)))


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """Playwright, if it and a browser are installed; shared, since a second one is refused."""
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
def counting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """A server with the shipped model and a counter that reads painted rectangles."""
    with serving_both(tmp_path_factory.mktemp("counting_server")) as server:
        yield server


@pytest.fixture(scope="session")
def grpc_url(model_server: ModelServer) -> str:
    """The gRPC URL of the shipped model's server, for `serving.client.connect`."""
    return model_server.grpc_url


@pytest.fixture(scope="session")
def rest_url(model_server: ModelServer) -> str:
    """The REST URL of the shipped model's server."""
    return model_server.rest_url
