"""A site of its own for each test: files, and one real server that is shared by all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.rollout.disk import digest_of
from serving.rollout.site import Site
from serving.rollout.steps import Command, run
from serving.traffic import NO_CANARY
from tests.serving import models
from tests.support.servers import ModelServer

CONFIG = """# A comment that stays.
model_config_list {{
  config {{ name: "half" base_path: "{0}/half" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 }} }}
    version_labels {{ key: "stable" value: 1 }} }}
}}
"""
FLAGS = (
    "--allow_version_labels_for_unavailable_models",
    "--model_config_file_poll_wait_seconds=1",
    "--max_num_load_retries=0",
)


@pytest.fixture(scope="session")
def server(small_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """A server of `half`, of which version 1 is stable, and 2 and 3 lie on disk."""
    folder = tmp_path_factory.mktemp("rollout")
    for version in (1, 2, 3):
        models.publish(small_models / "half" / str(version), folder / "half", version)
    # Written here and once: a server that is started again must find what rollouts made of it.
    file = folder / "models.config"
    file.write_text(CONFIG.format(folder))
    flags = [*FLAGS, f"--model_config_file={file}"]
    with ModelServer(folder, flags, wait_for=["half"]) as running:
        yield running


@pytest.fixture
def site(server: ModelServer) -> Iterator[Site]:
    """The server's site, back to version 1 as stable and no other loaded."""
    made = Site.at(server.config_file, server=server.grpc_url)
    yield made
    made.share(NO_CANARY)
    layout = made.layout()
    made.apply(layout.with_labels(stable=1, canary=None, previous=None))
    made.apply(made.layout().without_version(2).without_version(3))
    for version in (2, 3):
        made.server.wait_until_gone(version, 30)
    made.server.close()


@pytest.fixture
def checked(site: Site) -> Site:
    """A site whose versions have passed their check, as after `publish`; that takes seconds."""
    for path in site.store.versions().values():
        site.history.note("publish", "checked", checked=digest_of(path), growth_bytes=10_000_000)
    return site


@pytest.fixture
def offline(tmp_path: Path, small_models: Path) -> Site:
    """A site whose server is not running."""
    shutil.copytree(small_models / "half" / "1", tmp_path / "half" / "1")
    file = tmp_path / "models.config"
    file.write_text(CONFIG.format(tmp_path))
    return Site.at(file, server="grpc://127.0.0.1:1")


def do(site: Site, command: Command) -> list[str]:
    """Runs a command and returns what it said."""
    said: list[str] = []
    run(command, site.history, said.append)
    return said


def where(site: Site) -> list[str]:
    """The flags that name a site on the command line."""
    return [f"--config={site.config.file}", f"--server={site.server.url}", "--webapp="]
