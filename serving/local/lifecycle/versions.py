"""The state of every version that was ever seen, and the requests that use each version now.

One lock guards this table; no thread holds the lock while TensorFlow loads, runs or unloads.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from serving.local.errors import Code, StatusError, invalid_argument, not_found
from serving.local.lifecycle.storage import Fingerprint
from serving.local.runtime.saved_model import Servable
from serving.wire import messages_pb2 as pb

log = logging.getLogger(__name__)

Status = pb.ModelVersionStatus

STABLE = "stable"
"""The label that the front end requests; TensorFlow Serving gives no label a meaning."""
_PATIENCE_SECONDS = 0.1


class Key(NamedTuple):
    """A version of a model."""

    model: str
    version: int


class Choice(NamedTuple):
    """The version that a request names: a number, a label, or neither for the latest version."""

    model: str
    version: int | None = None
    label: str | None = None


@dataclasses.dataclass
class Version:
    """The state of one version.

    Attributes:
        failures: failed loads since the version's files last changed.
        retry_at: earliest monotonic time of the next try, in seconds.
        files_tried: fingerprint of the version's files at the last try.
    """

    path: Path
    state: Status.State = Status.START
    error: StatusError | None = None
    servable: Servable | None = None
    failures: int = 0
    retry_at: float = 0.0
    files_tried: Fingerprint | None = None

    @property
    def serves(self) -> bool:
        """Whether requests may use the version, which is true shortly before it is AVAILABLE."""
        return self.servable is not None and self.state not in (Status.UNLOADING, Status.END)


class Versions:
    """A table of versions; requests take leases from it, the manager changes it."""

    def __init__(self) -> None:
        self._versions: dict[Key, Version] = {}
        self._labels: dict[str, Mapping[str, int]] = {}
        self._leases: dict[object, Key] = {}
        self._reasons: dict[str, str] = {}
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def lease(self, choice: Choice) -> Iterator[tuple[int, Servable]]:
        """Keeps a version loaded for the block; `StatusError` if version or label is unknown."""
        lease = object()
        with self._changed:
            key = self._resolve(choice)
            version = self._versions.get(key)
            if version is None or version.servable is None or not version.serves:
                raise not_found(f"Servable not found for request: {_request(choice, key)}")
            self._leases[lease] = key
            servable = version.servable
        try:
            yield key.version, servable
        finally:
            self._give_back(key, lease)

    def statuses(self, model: str, version: int | None = None) -> list[pb.ModelVersionStatus]:
        """Returns the states of all versions ever seen, newest first, or of one; or `NOT_FOUND`."""
        with self._changed:
            seen = sorted((key for key in self._versions if key.model == model), reverse=True)
            asked = [key for key in seen if version in (None, key.version)]
            found = [_status(key, self._versions[key]) for key in asked]
        if not found:
            what = "any versions" if version is None else f"version {version}"
            reason = self._reasons.get(model)
            suffix = f": {reason}" if reason else ""
            raise not_found(f"Could not find {what} of model {model}{suffix}")
        return found

    def available(self, model: str | None = None) -> set[Key]:
        """Returns the AVAILABLE versions of one model or of all models."""
        with self._changed:
            available = {k for k, v in self._versions.items() if v.state == Status.AVAILABLE}
        return {key for key in available if model in (None, key.model)}

    def serves(self, model: str) -> bool | None:
        """Whether a model serves (its version `stable`, if any); None if never configured."""
        with self._changed:
            if model not in self._labels:
                return None
            stable = self._labels[model].get(STABLE)
            of_model = ((k, v) for k, v in self._versions.items() if k.model == model)
            return any(v.serves for k, v in of_model if stable in (None, k.version))

    def note_missing(self, model: str, reason: str) -> None:
        """Stores why a model has no version, empty if it has one; logs a new reason once."""
        with self._changed:
            before, self._reasons[model] = self._reasons.get(model, ""), reason
        if reason not in ("", before):
            log.warning("%s: %s", model, reason)

    def in_use(self) -> int:
        """Returns the number of requests that use a version."""
        return len(self._leases)

    def known(self, key: Key) -> Version | None:
        """Returns a version, or None if it was never seen; only the manager may change it."""
        with self._changed:
            return self._versions.get(key)

    def add(self, key: Key, path: Path) -> None:
        """Adds a version that was never seen, or that had ended."""
        with self._changed:
            self._versions[key] = Version(path)
        self.set_state(key, Status.START)

    def set_state(self, key: Key, state: Status.State, error: StatusError | None = None) -> None:
        """Sets the state of a version and logs it."""
        with self._changed:
            version = self._versions[key]
            version.state, version.error = state, error
            if state == Status.END:
                version.servable = None
            self._changed.notify_all()
        _log_state(key, state, error)

    def publish(self, key: Key, servable: Servable, stopping: threading.Event) -> None:
        """Lets a loaded version serve, and sets it AVAILABLE once older requests are done.

        As in the original, its state stays LOADING while any older request runs, on any model
        (recorded cases 647 to 649). `stopping` ends the wait.
        """
        with self._changed:
            self._versions[key].servable = servable
            older = set(self._leases)
            while older & self._leases.keys() and not stopping.is_set():
                self._changed.wait(_PATIENCE_SECONDS)
        self.set_state(key, Status.AVAILABLE)

    def wait_for(self, settled: Callable[[Mapping[Key, Version]], bool], seconds: float) -> bool:
        """Waits until a condition on all versions holds; returns False after a timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: settled(self._versions), seconds)

    def give_up(self, unwanted: Callable[[Key], bool]) -> None:
        """Ends versions that still wait for a load and are no longer wanted (recorded case 616)."""
        now = time.monotonic()
        with self._changed:
            due = {key: v.state for key, v in self._versions.items() if now >= v.retry_at}
        for key, state in due.items():
            if state in (Status.START, Status.LOADING) and unwanted(key):
                self.set_state(key, Status.END)

    def unload(self, key: Key) -> None:
        """Stops serving a version; its last request frees it, or this call if none uses it."""
        with self._changed:
            version = self._versions[key]
            version.state = Status.UNLOADING
            idle = key not in self._leases.values()
        _log_state(key, Status.UNLOADING, None)
        if idle:
            self._free(key, version)

    def set_labels(self, model: str, labels: Mapping[str, int]) -> None:
        """Replaces the labels of a model."""
        with self._changed:
            self._labels[model] = dict(labels)

    def labels(self, model: str) -> Mapping[str, int]:
        """Returns the labels of a model."""
        return self._labels.get(model, {})

    def is_known(self, model: str) -> bool:
        """Returns whether a model was ever configured."""
        return model in self._labels

    def _give_back(self, key: Key, lease: object) -> None:
        with self._changed:
            version = self._versions[key]
            del self._leases[lease]
            last = version.state == Status.UNLOADING and key not in self._leases.values()
            self._changed.notify_all()
        if last:
            self._free(key, version)

    def _resolve(self, choice: Choice) -> Key:
        number = choice.version
        if choice.label is not None:
            number = self._labels.get(choice.model, {}).get(choice.label)
            if number is None:
                raise invalid_argument(f"Unrecognized servable version label: {choice.label}")
        if number is not None:
            return Key(choice.model, number)
        serving = [k for k, v in self._versions.items() if v.serves]
        newest = max((k.version for k in serving if k.model == choice.model), default=0)
        return Key(choice.model, newest)

    def _free(self, key: Key, version: Version) -> None:
        if version.servable is not None:
            version.servable.close()
        self.set_state(key, Status.END)


def _status(key: Key, version: Version) -> pb.ModelVersionStatus:
    error = version.error or StatusError(Code.OK, "")
    status = pb.StatusProto(error_code=error.code, error_message=error.message)
    return pb.ModelVersionStatus(version=key.version, state=version.state, status=status)


def _request(choice: Choice, key: Key) -> str:
    is_latest = choice.version is None and choice.label is None
    return f"Latest({key.model})" if is_latest else f"Specific({key.model}, {key.version})"


def _log_state(key: Key, state: Status.State, error: StatusError | None) -> None:
    level, reason = (logging.WARNING, f", {error}") if error else (logging.INFO, "")
    name = Status.State.Name(state)
    log.log(level, "%s version %s: %s%s", key.model, key.version, name, reason)
