"""`models.config` as rollouts see it: which versions of one model to load, and their labels."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from google.protobuf import text_format

from serving import files
from serving.local.errors import StatusError
from serving.local.lifecycle.model_config import read_text_proto
from serving.local.lifecycle.storage import wanted_versions
from serving.rollout.errors import Refused
from serving.rollout.state.files import write_atomically
from serving.wire import messages_pb2 as pb

STABLE, CANARY, PREVIOUS = "stable", "canary", "previous"


@dataclass(frozen=True)
class Layout:
    """The versions and labels that the model server should have.

    Attributes:
        versions: the versions to load.
        labels: version by label.
    """

    versions: frozenset[int]
    labels: Mapping[str, int] = field(default_factory=dict)

    @property
    def stable(self) -> int | None:
        """The version that answers requests which name no other version."""
        return self.labels.get(STABLE)

    def with_version(self, version: int) -> Layout:
        """Returns a layout with one more version to load."""
        return replace(self, versions=self.versions | {version})

    def without_version(self, version: int) -> Layout:
        """Returns a layout without a version; drops its labels, which the server would refuse."""
        kept = {label: number for label, number in self.labels.items() if number != version}
        return Layout(self.versions - {version}, kept)

    def with_labels(self, **labels: int | None) -> Layout:
        """Returns a layout with changed labels; None removes a label."""
        changed = {**self.labels, **labels}
        return replace(self, labels={k: v for k, v in changed.items() if v is not None})

    def labels_of(self, version: int) -> list[str]:
        """Returns the labels of a version, sorted."""
        return sorted(label for label, number in self.labels.items() if number == version)


class ConfigFile:
    """The file `models.config`; only the policy and the labels of one model are ever changed."""

    def __init__(self, file: Path, model: str | None = None) -> None:
        """Finds the model.

        Args:
            file: the `models.config`.
            model: its name; defaults to the first model of the file.

        Raises:
            Refused: the file cannot be read, or has no such model.
        """
        self.file = file
        names = self.models
        self.model = names[0] if model is None and names else model or ""
        if self.model not in names:
            raise Refused(f"Expected --model to be one of {names} of {file}. Received: {model}.")

    def message(self) -> pb.ModelServerConfig:
        """Returns the whole file, as the message that a reload sends."""
        try:
            return read_text_proto(self.file, pb.ModelServerConfig())
        except StatusError as error:
            raise Refused(f"The configuration cannot be read: {error.message}") from error

    @property
    def models(self) -> list[str]:
        """The names of all models, in the file's order."""
        return [entry.name for entry in self.message().model_config_list.config]

    @property
    def counted_as(self) -> tuple[str, ...]:
        """Values of the label `model` in its counts; old front ends do not name the first model."""
        return (self.model, "") if self.model == self.models[0] else (self.model,)

    @property
    def base_path(self) -> str:
        """The folder of the model's versions, as the server sees it."""
        return self._entry(self.message()).base_path

    @property
    def pinned(self) -> bool:
        """Whether the file names the versions to load; else the server loads what it finds."""
        return self._entry(self.message()).model_version_policy.HasField("specific")

    def labels_of_others(self) -> dict[str, Mapping[str, int]]:
        """Returns, for each other model of the file by its name, the version by label."""
        entries = self.message().model_config_list.config
        return {e.name: dict(e.version_labels) for e in entries if e.name != self.model}

    def read(self, on_disk: Collection[int]) -> Layout:
        """Returns the model's layout; applies a policy that names no versions to those on disk."""
        entry = self._entry(self.message())
        policy = entry.model_version_policy
        named = policy.HasField("specific")
        versions = policy.specific.versions if named else wanted_versions(policy, on_disk)
        return Layout(frozenset(versions), dict(entry.version_labels))

    def write(self, layout: Layout) -> None:
        """Replaces the model's policy and labels; the comments above the first line stay."""
        message = self.message()
        entry = self._entry(message)
        entry.model_version_policy.specific.versions[:] = sorted(layout.versions)
        entry.version_labels.clear()
        for label, version in layout.labels.items():
            entry.version_labels[label] = version
        text = self._comments() + text_format.MessageToString(message)
        # A text that no server can read must not replace one that servers can read.
        try:
            text_format.Parse(text, pb.ModelServerConfig())
        except text_format.ParseError as error:
            raise Refused(f"{self.file} cannot be written: {error}") from error
        write_atomically(self.file, text)

    def _entry(self, message: pb.ModelServerConfig) -> pb.ModelConfig:
        """Returns the model's entry; raises `Refused` if the file has lost it meanwhile."""
        for entry in message.model_config_list.config:
            if entry.name == self.model:
                return entry
        raise Refused(f"Expected the model {self.model} in {self.file}. It is not there any more.")

    def _comments(self) -> str:
        # Protobuf ends a comment only at "\n", and `splitlines` would also split at others.
        lines = io.StringIO(files.read_text(self.file))
        return "".join(takewhile(lambda line: line.startswith(("#", "\n")), lines))


def difference(before: Layout, after: Layout) -> str:
    """Returns a text about labels that move and versions that are not asked for any more."""
    names = sorted({*before.labels, *after.labels})
    moved = [(name, before.labels.get(name), after.labels.get(name)) for name in names]
    said = [_moved(name, old, new) for name, old, new in moved if old != new]
    said += [f"no version {number}" for number in sorted(before.versions - after.versions)]
    return ", ".join(said) or "nothing to change"


def _moved(label: str, old: int | None, new: int | None) -> str:
    if new is None:
        return f"no {label} (was {old})"
    return f"{label} is {new}" + (f" (was {old})" if old is not None else "")
