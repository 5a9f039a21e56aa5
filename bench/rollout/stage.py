"""Both tiers as processes, on a copy of the configuration: nothing of this checkout changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.support.servers import HOW_TO_SERVE, ROOT, ModelServer
from tests.webapp.server import FrontEnd

# A server that is killed here stays away, and each command would wait for it.
PATIENCE_SECONDS = 3.0
SHIPPED = ROOT / "models" / "us_bills" / "1"
PHOTO = (ROOT / "webapp" / "static" / "samples" / "five.webp").read_bytes()
FLAGS = (*HOW_TO_SERVE, "--model_config_file_poll_wait_seconds=2")


class Deployment(Protocol):
    """What a rollout under load needs, however its servers are run."""

    @property
    def candidate(self) -> Path:
        """The version to roll out, as the rollout command finds it."""

    @property
    def urls(self) -> Sequence[str]:
        """Where clients ask: the front ends."""

    def rollout(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of `python -m serving rollout`."""

    def change_servers(self) -> None:
        """Kills one of several servers, and has one join."""


@dataclass
class Stage:
    """Two tiers on files of their own.

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
        """The front ends."""
        return [webapp.url for webapp in self.webapps]

    @property
    def target(self) -> str:
        """The model servers, as front ends and rollouts are told of them."""
        return "grpc://" + ",".join(server.grpc_address for server in self.servers)

    @property
    def config(self) -> Path:
        """The `models.config` of this stage."""
        return self.folder / "config" / "models.config"

    def rollout(self, *arguments: str, capture: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `python -m serving rollout` as a person would, and keeps or shows what it says."""
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
        """Kills one of several servers, and lets the last one join."""
        if len(self.servers) > 1:
            self.servers[-2].kill()
            self.servers[-1].launch()


@contextmanager
def stage(
    folder: Path,
    candidate: Path | None = None,
    stable: Path = SHIPPED,
    *,
    counter: Path | None = None,
    servers: int = 1,
    front_ends: int = 1,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """Starts both tiers with one version.

    Args:
        folder: an empty folder.
        candidate: the version to roll out; by default the stable one with a note, so another one.
        stable: version 1.
        counter: version 1 of the counter; without it no bills are counted.
        servers: how many model servers; beside several there is one more, which is started later.
        front_ends: how many front ends.
        settings: further settings of theirs, by the whole names of the variables.
    """
    shutil.copytree(stable, folder / "models/us_bills/1")
    made = Stage(folder, candidate or another(stable, folder / "candidate"))
    made.config.parent.mkdir()
    shutil.copy(ROOT / "serving/config/models.config", made.config)
    traffic = str(made.config.with_name("traffic.json"))
    settings = {"US_BILLS_TRAFFIC_FILE": traffic, **(settings or {})}
    models = ["us_bills"]
    if counter is not None:
        models.append("us_bills_count")
        shutil.copytree(counter, folder / "models/us_bills_count/1")
        settings["US_BILLS_COUNTER"] = "us_bills_count"
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
    """A version that answers as a given one does, and is not the same one."""
    shutil.copytree(version, folder)
    (folder / "assets.extra" / "note.txt").write_text("The same model once more.\n")
    return folder
