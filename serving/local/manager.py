"""Keeps memory in step with the disk and the configuration.

One thread looks at the base paths and at the configuration file at their intervals, loads what is
asked for and unloads what is not. A new version is loaded before the old one goes; where another
wanted version serves already, the surplus one goes first (recorded cases 600 and 603).
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from serving.local.config import ModelConfig
from serving.local.errors import Code, StatusError, failed_precondition
from serving.local.servable import Servable
from serving.local.storage import fingerprint, version_paths, wanted_versions
from serving.local.versions import Key, Version, Versions
from serving.local.warmup import warm_up
from serving.wire import messages_pb2 as pb

log = logging.getLogger(__name__)
Status = pb.ModelVersionStatus


@dataclasses.dataclass(frozen=True)
class ManagerOptions:
    """How to look after models; each field is the flag of that name, times in seconds."""

    poll_seconds: float = 1.0
    config_poll_seconds: float = 0.0
    max_load_retries: int = 5
    retry_seconds: float = 60.0
    warmup: bool = True
    labels_for_unavailable: bool = False


class Manager:
    """Loads and unloads versions until stopped."""

    def __init__(
        self,
        versions: Versions,
        read_config: Callable[[], Mapping[str, ModelConfig]],
        options: ManagerOptions,
    ) -> None:
        self.versions = versions
        self._read_config = read_config
        self._options = options
        self._models: Mapping[str, ModelConfig] = {}
        self._refused = ""
        self._empty: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model manager", daemon=True)

    def start(self) -> None:
        """Reads the configuration, loads what is there, then watches in its own thread.

        Raises:
            StatusError: the configuration cannot be used (recorded cases 812 to 821).
        """
        models = self._read_config()
        if any(m.labels for m in models.values()) and not self._options.labels_for_unavailable:
            raise failed_precondition(
                "Labels in the first configuration need "
                "--allow_version_labels_for_unavailable_models=true."
            )
        self._apply(models)
        self.converge()
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch; loaded versions stay until `close`."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def close(self) -> None:
        """Unloads everything."""
        for key in sorted(self.versions.loaded()):
            self.versions.unload(key)

    def reconfigure(self) -> None:
        """Takes the configuration anew.

        Raises:
            StatusError: it cannot be used; the last good one stays in force.
        """
        models = self._read_config()
        if models != self._models:
            self._require_labels(models)
            self._apply(models)

    def converge(self) -> None:
        """Loads and unloads until every model has the versions that it should have."""
        for model in self._models.values():
            paths = version_paths(model.base_path)
            self._tell_if_empty(model, paths)
            if paths is not None:
                self._converge(model, paths)
        for key in self.versions.loaded():
            if key.model not in self._models:
                self.versions.unload(key)

    def _converge(self, model: ModelConfig, paths: Mapping[int, Path]) -> None:
        wanted = {Key(model.name, version) for version in wanted_versions(model.policy, paths)}
        for key in sorted(wanted):
            if self._is_new(key):
                self.versions.add(key, paths[key.version])
        self._unload_surplus(model, wanted)
        for key in sorted(wanted, reverse=True):
            self._load_if_due(key)
        self._unload_surplus(model, wanted)

    def _tell_if_empty(self, model: ModelConfig, paths: Mapping[int, Path] | None) -> None:
        """Says once that a model has nothing to load; the original says it at every look."""
        if paths:
            self._empty.discard(model.name)
        elif model.name not in self._empty:
            self._empty.add(model.name)
            what = "cannot be read" if paths is None else "has no version"
            log.warning("%s: its base path %s %s", model.name, model.base_path, what)

    def _is_new(self, key: Key) -> bool:
        version = self.versions.known(key)
        return version is None or (version.state == Status.END and version.error is None)

    def _unload_surplus(self, model: ModelConfig, wanted: set[Key]) -> None:
        loaded = self.versions.loaded(model.name)
        specific = model.policy.WhichOneof("policy_choice") == "specific"
        if loaded & wanted or (not wanted and not specific):
            for key in sorted(loaded - wanted):
                self.versions.unload(key)

    def _load_if_due(self, key: Key) -> None:
        version = self.versions.known(key)
        if version is None or version.state in (Status.AVAILABLE, Status.UNLOADING):
            return
        files = fingerprint(version.path)
        if files != version.tried:
            version.failures = 0
        elif not self._may_retry(version):
            return
        version.tried = files
        self._load(key, version)

    def _may_retry(self, version: Version) -> bool:
        exhausted = version.failures > self._options.max_load_retries
        return not exhausted and time.monotonic() >= version.retry_at

    def _load(self, key: Key, version: Version) -> None:
        self.versions.set_state(key, Status.LOADING)
        try:
            servable = Servable(version.path)
            self._warm_up(servable, version)
        except StatusError as error:
            self._note_failure(key, version, error)
        else:
            self.versions.set_state(key, Status.AVAILABLE, servable=servable)

    def _warm_up(self, servable: Servable, version: Version) -> None:
        if not self._options.warmup:
            return
        try:
            warm_up(servable, version.path)
        except Exception:
            servable.close()
            raise

    def _note_failure(self, key: Key, version: Version, error: StatusError) -> None:
        version.failures += 1
        version.retry_at = time.monotonic() + self._options.retry_seconds
        if version.failures > self._options.max_load_retries:
            self.versions.set_state(key, Status.END, error=error)
        else:
            log.warning(
                "%s version %s: cannot be loaded, %s; next try in %g s or when its files change",
                key.model, key.version, error, self._options.retry_seconds,
            )  # fmt: skip

    def _apply(self, models: Mapping[str, ModelConfig]) -> None:
        for name in {*self._models, *models}:
            labels = models[name].labels if name in models else {}
            self.versions.set_labels(name, labels)
        self._models = models

    def _require_labels(self, models: Mapping[str, ModelConfig]) -> None:
        """A label goes to a version that serves; the flag frees labels that are new (515, 516)."""
        for model in models.values():
            serving = {key.version for key in self.versions.loaded(model.name)}
            present = self.versions.labels(model.name)
            for label, version in model.labels.items():
                kept = present.get(label, version) == version
                if version not in serving and not (kept and self._options.labels_for_unavailable):
                    raise failed_precondition(
                        f"Request to assign label to version {version} of model {model.name}, "
                        "which is not currently available for inference"
                    )

    def _watch(self) -> None:
        disk, config = self._options.poll_seconds, self._options.config_poll_seconds
        next_disk = time.monotonic() + disk
        next_config = time.monotonic() + config
        while not self._stopping.wait(_pause(disk, config)):
            now = time.monotonic()
            changed = config > 0 and now >= next_config and self._poll_config()
            if config > 0 and now >= next_config:
                next_config = now + config
            if changed or (disk > 0 and now >= next_disk):
                self._poll_disk()
                next_disk = time.monotonic() + disk

    def _poll_config(self) -> bool:
        try:
            before = self._models
            self.reconfigure()
        except StatusError as error:
            self._log_refusal(error)
            return False
        self._refused = ""
        return self._models is not before

    def _log_refusal(self, error: StatusError) -> None:
        if error.message != self._refused:
            self._refused = error.message
            log.error("The new configuration is refused, the last good one stays: %s", error)

    def _poll_disk(self) -> None:
        try:
            self.converge()
        except Exception:
            log.exception("%s: looking after the models failed; it goes on", Code.INTERNAL.name)


def _pause(disk: float, config: float) -> float:
    """Seconds between two looks at the clock."""
    return min([interval for interval in (disk, config) if interval > 0] or [3600.0])
