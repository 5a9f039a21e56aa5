"""What a rollout works on: the files of one model and the servers that read them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from serving import traffic
from serving.client.tls import NO_TLS, Tls
from serving.local.lifecycle.model_config import ConfigReader
from serving.rollout.errors import Refused
from serving.rollout.remote.addresses import Addresses
from serving.rollout.remote.fleet import PATIENCE_SECONDS, Fleet, Say
from serving.rollout.remote.server import ModelServer, client_of
from serving.rollout.state.config import ConfigFile, Layout
from serving.rollout.state.disk import VersionStore
from serving.rollout.state.files import exclusive, remove_drafts, write_atomically
from serving.rollout.state.history import History, now, user
from serving.traffic import Splits, Traffic
from serving.wire import messages_pb2 as pb

if TYPE_CHECKING:
    from serving.signing.versions import Verifier

LOCK_SECONDS = 5.0


class Check(NamedTuple):
    """The result of loading a version in a fresh process.

    Attributes:
        growth_bytes: by how much the process's memory grew.
        golden: a short text about the golden photos, or an empty one.
    """

    growth_bytes: int
    golden: str = ""

    def __str__(self) -> str:
        golden = f", {self.golden}" if self.golden else ""
        return f"good, takes {self.growth_bytes / 1e6:,.0f} MB of memory{golden}"


@dataclass(frozen=True)
class Deployment:
    """The files and the servers of one model.

    Attributes:
        config: the model's entry in `models.config`.
        models_root: the folder that stands for `/models/` in base paths.
        traffic_file: read by the front end.
        store: the versions on disk.
        server: the model servers, most often one.
        history: the commands so far, with their users and times.
        golden: folder of photos whose right answers are known, one sub-folder per class.
        checks: this process's checks of versions, by the digest of their files. A line in the
            history does not count as a check, since somebody else may have written it.
        allowed_operations: operations allowed in a graph in addition to the list of harmless ones.
        verify_key: the site's public key, which every version must be signed for; None if versions
            need no signature.
    """

    config: ConfigFile
    models_root: Path | None
    traffic_file: Path
    store: VersionStore
    server: Fleet
    history: History
    golden: Path | None = None
    allowed_operations: Sequence[str] = ()
    checks: dict[str, Check] = field(default_factory=dict)
    verify_key: Path | None = None

    @classmethod
    def at(
        cls,
        config_file: Path,
        *,
        models_root: Path | None = None,
        model: str | None = None,
        server: str = "grpc://127.0.0.1:8500",
        patience: float = PATIENCE_SECONDS,
        say: Say = lambda _: None,
        golden: Path | None = None,
        allowed_operations: Sequence[str] = (),
        verify_key: Path | None = None,
        tls: Tls = NO_TLS,
    ) -> Deployment:
        """Finds everything that belongs to a configuration file.

        Args:
            config_file: the `models.config`; traffic, history and lock are its neighbours.
            models_root: the folder that stands for `/models/`, the container's mount.
            model: which model of the file; defaults to the first.
            server: gRPC URLs of the model servers, separated by commas; `dns:///name:port` for all
                addresses of a name.
            patience: seconds to wait for one of several servers if it does not listen.
            say: called with the servers that a step waits for, if there are several.
            golden: see the attribute.
            allowed_operations: see the attribute.
            verify_key: see the attribute.
            tls: for a model server that speaks TLS.

        Raises:
            Refused: the file, the model or the URL is invalid.
        """
        config = ConfigFile(config_file, model)
        # If certificates are set, plain-text URLs are refused.
        wanted = ("grpc", "grpc(s)://host:port")
        if tls != NO_TLS:
            wanted = ("grpcs", "(certificates are set) grpcs://host:port")
        addresses = Addresses(server, "--server", *wanted)
        return cls(
            config=config,
            models_root=models_root,
            traffic_file=config_file.with_name("traffic.json"),
            store=_store(config, models_root),
            server=Fleet(
                addresses,
                lambda url: ModelServer(
                    url, config.model, client_of(url, tls, addresses.name_of(url))
                ),
                patience=patience,
                say=say,
            ),
            history=History(config_file.with_name("rollouts.jsonl"), config.model),
            golden=golden,
            allowed_operations=allowed_operations,
            verify_key=verify_key,
        )

    @cached_property
    def verifier(self) -> Verifier | None:
        """Verifies versions by the site's key; None if they need no signature.

        Raises:
            Refused: the file has no public key.
            OSError: the file cannot be read.
        """
        return verifier_of(self.verify_key)

    @contextmanager
    def exclusive(self, title: str) -> Iterator[None]:
        """Keeps other commands from changing anything; see `files.exclusive`."""
        holder = f"`{title}` by {user()}, process {os.getpid()}, since {now()}"
        with exclusive(self.config.file.with_name("rollout.lock"), holder, LOCK_SECONDS):
            for file in (self.config.file, self.traffic_file):
                remove_drafts(file)
            yield

    def layout(self, model: str | None = None) -> Layout:
        """Returns the layout that the file asks for, of this or of another model.

        Raises:
            Refused: the configuration or the folder of the versions cannot be read.
        """
        if model in (None, self.config.model):
            return self.config.read(self.store.versions())
        config = ConfigFile(self.config.file, model)
        return config.read(_store(config, self.models_root).versions())

    def apply(self, layout: Layout, *, wait: bool = True) -> None:
        """Writes a layout to the file, then sends it to the servers.

        The file is written first: a server that polls the file would otherwise revert a reload
        seconds later, and a killed server restarts with the file. The server accepts each layout
        both in a reload and at its start, so the time between the two steps is harmless. If this
        process ends in between, a server that polls the file follows by itself, and the same
        command, called again, updates the others.

        Args:
            layout: the new layout.
            wait: whether to wait for dead or late servers, if there are several.

        Raises:
            ServingError: no server can be reached, or one refuses; the file has changed by then.
            Refused: one of several servers listens, but does not follow.
        """
        config = self.write(layout)
        if wait:
            self.server.reload(config)
        else:
            self.server.reload_without_waiting(config)

    def write(self, layout: Layout) -> pb.ModelServerConfig:
        """Writes a layout to the file, and returns the configuration for the servers."""
        if layout != self.layout() or not self.config.pinned:
            self.config.write(layout)
        return self.config.message()

    def traffic(self, model: str | None = None) -> Traffic:
        """Returns the split of this or of another model's requests.

        Raises:
            Refused: the traffic file cannot be understood.
        """
        return self._splits().of(model or self.config.model)

    def _splits(self) -> Splits:
        """Returns the traffic file's content; raises `Refused` if it cannot be understood."""
        if not os.path.lexists(self.traffic_file):
            return Splits()
        try:
            return traffic.read(self.traffic_file, next(iter(self.config.models), ""))
        except (OSError, ValueError) as error:
            raise Refused(
                f"{self.traffic_file} cannot be understood: {error}. Any canary or rollback writes "
                "it anew; until then the front ends stay with what it said before."
            ) from error

    def write_split(self, wanted: Traffic) -> None:
        """Writes the model's split; front ends follow at their next request.

        The splits of other models stay, unless the old file cannot be understood.
        """
        splits = Splits()
        with suppress(Refused):
            splits = self._splits()
            if wanted == splits.of(self.config.model) and self.traffic_file.is_file():
                return
        write_atomically(self.traffic_file, splits.changed(self.config.model, wanted).text())


def _store(config: ConfigFile, models_root: Path | None) -> VersionStore:
    reader = ConfigReader(models_root and models_root.absolute())
    return VersionStore(reader.locate(config.base_path))


def verifier_of(key: Path | None) -> Verifier | None:
    """Reads a public key; raises `Refused` if the file has none."""
    if key is None:
        return None
    from serving.signing.versions import Verifier

    try:
        return Verifier(key)
    except ValueError as error:
        raise Refused(f"{key}: {error}") from error
