"""Runs both tiers as processes on a copy of the configuration: this checkout does not change."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.names import COUNTER, MODEL
from tests.support.servers import HOW_TO_SERVE, ROOT, ModelServer
from tests.webapp.server import FrontEnd

# Short, because a server that is killed here never returns, and each command waits for it.
PATIENCE_SECONDS = 3.0
SHIPPED = ROOT / "models" / MODEL / "1"
PHOTO = (ROOT / "webapp" / "static" / "samples" / "five.webp").read_bytes()
FLAGS = (*HOW_TO_SERVE, "--model_config_file_poll_wait_seconds=2")


class Deployment(Protocol):
    """The interface that a rollout under load needs, however the servers are run."""

    @property
    def candidate(self) -> Path:
        """The version to roll out, by the path that the rollout command uses."""

    @property
    def urls(self) -> Sequence[str]:
        """The URLs of the front ends, where clients send requests."""

    def rollout(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of `python -m serving rollout`."""

    def change_servers(self) -> None:
        """Kills one of several servers, and makes another one join."""


@dataclass
class LocalDeployment:
    """A `Deployment` of processes on separate files.

    Attributes:
        folder: holds `config/` and `models/`.
        candidate: the version to roll out, outside of the base path.
        servers: the model servers; of several, the last one is not running at the beginning.
        webapps: the front ends.
    """

    folder: Path
    candidate: Path
    servers: list[ModelServer] = field(default_factory=list)
    webapps: list[FrontEnd] = field(default_factory=list)

    @property
    def server(self) -> ModelServer:
        """The only model server, or the first."""
        return self.servers[0]

    @property
    def webapp(self) -> FrontEnd:
        """The only front end, or the first."""
        return self.webapps[0]

    @property
    def urls(self) -> Sequence[str]:
        """The URLs of the front ends."""
        return [webapp.url for webapp in self.webapps]

    @property
    def target(self) -> str:
        """The addresses of the model servers, in the form that front ends and rollouts take."""
        return "grpc://" + ",".join(server.grpc_address for server in self.servers)

    @property
    def config(self) -> Path:
        """The `models.config` of this deployment."""
        return self.folder / "config" / "models.config"

    def rollout(self, *arguments: str, capture: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `python -m serving rollout` as a user would, and captures or shows its output."""
        where = [
            f"--config={self.config}",
            f"--models-root={self.folder / 'models'}",
            f"--server={self.target}",
            *(f"--webapp={webapp.url}" for webapp in self.webapps),
            f"--patience={PATIENCE_SECONDS:g}",
        ]
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "serving", "rollout", *where, *arguments],
            cwd=ROOT,
            capture_output=capture,
            text=True,
            check=False,
        )

    def change_servers(self) -> None:
        """Kills one of several servers, and starts the last one."""
        if len(self.servers) > 1:
            self.servers[-2].kill()
            self.servers[-1].launch()


@contextmanager
def local_deployment(
    folder: Path,
    candidate: Path | None = None,
    stable: Path = SHIPPED,
    *,
    counter: Path | None = None,
    servers: int = 1,
    front_ends: int = 1,
    settings: Mapping[str, str] | None = None,
) -> Iterator[LocalDeployment]:
    """Starts both tiers with one version.

    Args:
        folder: an empty folder.
        candidate: the version to roll out; by default a copy of `stable` with an additional note.
        stable: version 1.
        counter: version 1 of the counter; without it no bills are counted.
        servers: how many model servers; if several, one more is prepared and started later.
        front_ends: how many front ends.
        settings: further settings of the front ends, by the full environment variable names.
    """
    shutil.copytree(stable, folder / "models" / MODEL / "1")
    made = LocalDeployment(folder, candidate or another(stable, folder / "candidate"))
    made.config.parent.mkdir()
    shutil.copy(ROOT / "serving/config/models.config", made.config)
    traffic = str(made.config.with_name("traffic.json"))
    settings = {"US_BILLS_TRAFFIC_FILE": traffic, **(settings or {})}
    models = [MODEL]
    if counter is not None:
        models.append(COUNTER)
        shutil.copytree(counter, folder / "models" / COUNTER / "1")
        settings["US_BILLS_COUNTER"] = COUNTER
    flags = [*FLAGS, f"--model_config_file={made.config}", f"--models_root={folder / 'models'}"]
    names = [str(number) for number in range(servers + (servers > 1))]
    made.servers = [ModelServer(folder / f"server{n}", flags, wait_for=models) for n in names]
    with ExitStack() as stack:
        for server in made.servers[:servers]:
            stack.enter_context(server)
        for server in made.servers[servers:]:
            stack.callback(server.kill)
        for _ in range(front_ends):
            made.webapps.append(stack.enter_context(FrontEnd(made.target, **settings)))
            made.webapps[-1].wait_for("/readyz", 200)
        yield made


def another(version: Path, folder: Path) -> Path:
    """Returns a copy of a version that gives the same answers but has different files."""
    shutil.copytree(version, folder)
    (folder / "assets.extra" / "note.txt").write_text("The same model once more.\n")
    return folder
