"""What a rollout works on: the files of one model and the server that reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving import traffic
from serving.local.config import ConfigReader
from serving.rollout.config import ConfigFile, Layout
from serving.rollout.disk import VersionStore
from serving.rollout.errors import Refused
from serving.rollout.files import exclusive, remove_drafts, write_atomically
from serving.rollout.history import History, now, user
from serving.rollout.server import ModelServer
from serving.traffic import NO_CANARY, Traffic

LOCK_SECONDS = 5.0
LOAD_SECONDS = 180.0


@dataclass(frozen=True)
class Site:
    """Disk and server as one.

    Attributes:
        config: the model's entry in `models.config`.
        traffic_file: read by the front end.
        store: the versions on disk.
        server: the model server.
        history: who did what when.
        golden: folder of photos whose right answers are known, one sub-folder per class.
    """

    config: ConfigFile
    traffic_file: Path
    store: VersionStore
    server: ModelServer
    history: History
    golden: Path | None = None

    @classmethod
    def at(
        cls,
        config_file: Path,
        *,
        models_root: Path | None = None,
        model: str | None = None,
        server: str = "grpc://127.0.0.1:8500",
        golden: Path | None = None,
    ) -> Site:
        """Finds everything that belongs to a configuration file.

        Args:
            config_file: the `models.config`; traffic, history and lock are its neighbours.
            models_root: the folder that stands for `/models/`, the container's mount.
            model: which model of the file; may be left out where there is one.
            server: where the model server answers gRPC.
            golden: see the attribute.

        Raises:
            Refused: the file, the model or the URL is not as it should be.
        """
        config = ConfigFile(config_file, model)
        folder = ConfigReader(models_root and models_root.absolute()).locate(config.base_path)
        return cls(
            config=config,
            traffic_file=config_file.with_name("traffic.json"),
            store=VersionStore(folder),
            server=ModelServer(server, config.model),
            history=History(config_file.with_name("rollouts.jsonl"), config.model),
            golden=golden,
        )

    @contextmanager
    def exclusive(self, title: str) -> Iterator[None]:
        """Keeps others from changing anything; see `files.exclusive`."""
        holder = f"`{title}` by {user()}, process {os.getpid()}, since {now()}"
        with exclusive(self.config.file.with_name("rollout.lock"), holder, LOCK_SECONDS):
            for file in (self.config.file, self.traffic_file):
                remove_drafts(file)
            yield

    def layout(self) -> Layout:
        """What the file asks for."""
        return self.config.read(self.store.versions())

    def apply(self, layout: Layout) -> None:
        """Makes a layout that of the disk and of the server.

        The disk comes first. A server that polls the file would take back, seconds later, what only
        a reload had told it; and one that is killed comes back with what the file says. Each
        layout that gets here is one that the server can take at once and at its start, so the
        moments between the two are harmless; if this process ends in them, a server that polls
        finds out by itself, and the next call of any command tells the others.

        Raises:
            ServingError: the server cannot be told, or refuses; the file has changed by then.
        """
        if layout != self.layout() or not self.config.pinned:
            self.config.write(layout)
        self.server.reload(self.config.message())

    def traffic(self) -> Traffic:
        """The traffic file's content.

        Raises:
            Refused: it cannot be understood.
        """
        if not self.traffic_file.exists():
            return NO_CANARY
        try:
            return traffic.parse(self.traffic_file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Refused(
                f"{self.traffic_file} cannot be understood: {error}. Any canary or rollback writes "
                "it anew; until then the front ends stay with what it said before."
            ) from error

    def share(self, wanted: Traffic) -> None:
        """Writes the traffic file, whatever is in it; front ends follow at their next request."""
        text = wanted.text()
        if not self.traffic_file.exists() or self.traffic_file.read_bytes() != text.encode():
            write_atomically(self.traffic_file, text)
