"""Loads and unloads versions as the disk and the configuration require.

One thread polls the base paths and the configuration file at their intervals, and ten times a
second takes the next step towards the wanted versions. A new version is loaded before the old one
is unloaded; if another wanted version already serves, the surplus version is unloaded first
(recorded cases 600 and 603).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Set
from pathlib import Path

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError
from serving.local.lifecycle import availability
from serving.local.lifecycle.model_config import ModelConfigs
from serving.local.lifecycle.storage import fingerprint
from serving.local.lifecycle.version_policy import (
    VersionPolicy,
    require_labels,
    require_versions,
)
from serving.local.lifecycle.versions import Key, Status, Version, Versions
from serving.local.metrics import Metrics
from serving.local.runtime import allocator
from serving.local.runtime.saved_model import Servable
from serving.local.settings import Settings

log = logging.getLogger(__name__)

Loader = Callable[[Path], Servable]
"""Loads a version's directory as a servable, or raises `StatusError`."""

STEP_SECONDS = 0.1
"""The original's `manage_state_interval`: how long a version is visible in its START state."""
END_SECONDS = 1.0
"""The longest time of a step that loads nothing."""


class Manager:
    """Loads and unloads versions until stopped."""

    def __init__(
        self,
        versions: Versions,
        read_config: Callable[[], ModelConfigs],
        load: Loader,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self.versions = versions
        self._read_config = read_config
        self._load = load
        self._settings = settings
        self._metrics = metrics
        self._models: ModelConfigs = {}
        self._policy = VersionPolicy(versions)
        self._refused = ""
        self._coming: set[str] = set()
        self._config_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model manager", daemon=True)

    def start(self) -> None:
        """Reads the configuration, then starts the thread that loads and unloads versions.

        Returns, without a timeout, once every model serves, or once one model serves and all
        versions of the others were tried. Logs the models that do not serve. Raises `StatusError`
        if the configuration cannot be used, or no version of any model loads.
        """
        models = self._read_config()
        self._take(models)
        self._policy.resolve(models)
        self._thread.start()
        # Uses the current configuration, since a new one may replace all models meanwhile.
        availability.wait(
            self.versions, lambda: self._awaited(self._models), self._stopping, one_is_enough=True
        )
        missing = [name for name in self._models if not self.versions.serves(name)]
        if missing:
            log.warning("no version serves of: %s; requests for others are answered", missing)

    def stop(self) -> None:
        """Ends the thread after its current step; loaded versions stay until `close`."""
        self._stopping.set()

    def close(self) -> None:
        """Unloads all versions, unless a load is in progress: it cannot be interrupted."""
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            return
        for key in sorted(self.versions.loaded()):
            self.versions.unload(key)

    def reload(self, models: ModelConfigs, deadline: Deadline = NO_DEADLINE) -> None:
        """Applies another configuration, as `HandleReloadConfigRequest` requests.

        Returns once the new models serve; models that stay are polled at their usual interval. The
        same configuration again, after a client gave up waiting, waits for the same models. A
        new model without any version is refused; the original would block this and every later
        reload for ever (recorded cases 520, 548 to 552). Raises `StatusError` if the configuration
        cannot be used, and the old one stays, or if a new model cannot be loaded.
        """
        with self._config_lock:
            known = self._models.keys() - (self._coming if models == self._models else set())
            new = {name: model for name, model in models.items() if name not in known}
            for model in new.values():
                require_versions(model)
            self._take(models)
            self._policy.resolve(new)
            self._coming |= new.keys()
        try:
            availability.wait(self.versions, lambda: self._awaited(new), self._stopping, deadline)
        except StatusError as error:
            if error.code not in (Code.DEADLINE_EXCEEDED, Code.CANCELLED):
                self._coming -= new.keys()
            raise
        self._coming -= new.keys()

    def _awaited(self, names: Collection[str]) -> list[Set[Key]]:
        """Returns the wanted versions of those models that are still configured."""
        return [self._policy.of(name) for name in names if name in self._models]

    def _take(self, models: ModelConfigs) -> None:
        """Applies a configuration; raises `StatusError` if its labels cannot be set."""
        new = self._settings.allow_version_labels_for_unavailable_models
        require_labels(models, self.versions, for_unavailable=new)
        for name in {*self._models, *models}:
            labels = models[name].labels if name in models else {}
            self.versions.set_labels(name, labels)
        self._models = models
        self._policy.keep(models)

    # ---- steps towards the wanted versions ----

    def _step(self) -> None:
        for key in self.versions.loaded():
            if key.model not in self._models:
                self.versions.unload(key)
        self.versions.give_up(lambda key: key not in self._policy.of(key.model))
        for model in list(self._models.values()):
            if self._unload_surplus(model.name):
                continue
            for key in sorted(self._policy.of(model.name), reverse=True):
                self._load_if_due(key)
            self._unload_surplus(model.name)

    def _unload_surplus(self, name: str) -> bool:
        loaded, wanted = self.versions.loaded(name), self._policy.of(name)
        if not self._policy.seen(name) or (wanted and not loaded & wanted):
            return False
        for key in sorted(loaded - wanted):
            self.versions.unload(key)
        return bool(loaded - wanted)

    def _load_if_due(self, key: Key) -> None:
        """Loads a version that is new, is due for a retry, or has changed, as a slow copy does."""
        version = self.versions.known(key)
        if version is None or version.servable is not None or not self._is_due(version):
            return
        version.tried = fingerprint(version.path)
        self.versions.set_state(key, Status.LOADING)
        try:
            with self._metrics.load(version.path):
                servable = self._load(version.path)
        except Exception as error:
            # Any error is caught, or the steps of the other models would never run.
            self._note_failure(key, version, StatusError.of(error))
        else:
            self.versions.publish(key, servable, self._stopping)
            return
        # Only after the `except` block: an error's traceback holds the data that was read.
        allocator.return_freed()

    def _is_due(self, version: Version) -> bool:
        if version.tried is None:
            return True
        exhausted = version.failures > self._settings.max_num_load_retries
        return not exhausted and time.monotonic() >= version.retry_at

    def _note_failure(self, key: Key, version: Version, error: StatusError) -> None:
        seconds = self._settings.load_retry_interval_micros / 1e6
        # A retry does not fix a bad signature. Changed files may, and are still detected.
        final = error.code == Code.UNAUTHENTICATED
        version.failures += 1 + self._settings.max_num_load_retries * final
        version.retry_at = time.monotonic() + seconds
        if version.failures > self._settings.max_num_load_retries:
            self.versions.set_state(key, Status.END, error=error)
        else:
            log.warning(
                "%s version %s: cannot be loaded, %s; next try in %g s or when its files change",
                key.model, key.version, error, seconds,
            )  # fmt: skip

    # ---- the thread ----

    def _watch(self) -> None:
        polls = (
            (self._poll_config, self._settings.model_config_file_poll_wait_seconds),
            (self._poll_disk, self._settings.file_system_poll_wait_seconds),
        )
        due = {poll: time.monotonic() + seconds for poll, seconds in polls if seconds > 0}
        while not self._stopping.is_set():
            self._guarded(self._step)
            self._stopping.wait(STEP_SECONDS)
            for poll, seconds in polls:
                if time.monotonic() >= due.get(poll, math.inf):
                    due[poll] = time.monotonic() + seconds
                    self._guarded(poll)

    def _poll_disk(self) -> None:
        with self._config_lock:
            self._policy.resolve(self._models)

    def _poll_config(self) -> None:
        try:
            # Read with the lock held: otherwise an older text could undo a reload in between.
            with self._config_lock:
                models = self._read_config()
                if models != self._models:
                    self._take(models)
                    self._policy.resolve(models)
            self._refused = ""
        except StatusError as error:
            if error.message != self._refused:
                self._refused = error.message
                text = "The new configuration is refused, the last good one stays: %s"
                log.error(text, error)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("%s: looking after the models failed; it goes on", Code.INTERNAL.name)
