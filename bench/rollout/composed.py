"""Runs both tiers as containers of docker-compose.yml, with one host name for each tier.

Compose starts and adds the servers, the Docker engine kills one, each command runs in a container.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.rollout.local import SHIPPED, another
from tests.containers.stack import Stack, compose_command, connected_engine, require_image

CANDIDATE = Path("/new")
CANNOT_RUN = 2
# The image variables of docker-compose.yml (front end, model server, tools) and their defaults.
IMAGES = {
    "US_BILLS_WEB_IMAGE": "us-bills-web",
    "US_BILLS_SERVING_IMAGE": "tensorflow/serving:2.20.0",
    "US_BILLS_TOOLS_IMAGE": "us-bills-serving",
}


@dataclass
class Composed:
    """A `Deployment` of containers.

    Attributes:
        stack: the running containers.
        shown: the version to roll out, on this machine; containers mount it at `CANDIDATE`.
    """

    stack: Stack
    shown: Path
    candidate = CANDIDATE

    @property
    def urls(self) -> Sequence[str]:
        """The URLs of the front ends on this machine."""
        return self.stack.web_urls

    def rollout(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as docs/operations.md says."""
        volume = f"{self.shown.absolute()}:{CANDIDATE}:ro"
        return self.stack.run("run", "--rm", "-T", "--volume", volume, "rollout", *arguments)

    def change_servers(self) -> None:
        """Kills and removes a server, and lets Compose start a replacement."""
        self.stack.containers("serving")[0].remove(force=True)
        self.stack.start_missing("serving")


@contextmanager
def composed(
    folder: Path,
    images: tuple[str, str, str],
    candidate: Path | None = None,
    stable: Path = SHIPPED,
    *,
    packages: Path | None = None,
    servers: int = 1,
    front_ends: int = 1,
) -> Iterator[Composed]:
    """Starts both tiers with one version, and stops them at the end of the block.

    Args:
        folder: an empty folder.
        images: the images of front end, model server and tools.
        candidate: the version to roll out; by default a copy of `stable` with an additional note.
        stable: version 1.
        packages: Python packages with TensorFlow, for images without it.
        servers: how many model servers.
        front_ends: how many front ends.
    """
    shutil.copytree(stable, folder / "models/us_bills/1")
    shown = candidate or another(stable, folder / "candidate")
    stack = Stack(
        connected_engine(),
        compose_command(),
        folder / "site",
        *images,
        packages,
        models=folder / "models",
        servers=servers,
        front_ends=front_ends,
    )
    with stack:
        yield Composed(stack, shown)


@contextmanager
def composed_of_built_images(
    folder: Path, candidate: Path | None, *, servers: int, front_ends: int
) -> Iterator[Composed]:
    """Runs `composed` with the images that Compose would use; exits with a message if it cannot.

    Raises:
        SystemExit: with status 2.
    """
    web, serving, tools = (os.environ.get(name, usual) for name, usual in IMAGES.items())
    images = (web, serving, tools)
    try:
        for image in images:
            require_image(connected_engine(), image)
        compose_command()
    except pytest.skip.Exception as reason:
        sys.stderr.write(f"Nothing was run: {reason}.\n")
        sys.exit(CANNOT_RUN)
    with composed(folder, images, candidate, servers=servers, front_ends=front_ends) as running:
        yield running
