"""Loads and unloads versions as the disk and the configuration require.

One thread polls the base paths and the configuration file at their intervals, and ten times a
second takes the next step towards the aspired versions. A new version is loaded before the old one
is unloaded; if another aspired version already serves, the surplus version is unloaded first
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
from serving.local.lifecycle import aspired_versions, availability, config_files
from serving.local.lifecycle.model_config import ModelConfigs
from serving.local.lifecycle.storage import fingerprint
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
JOIN_SECONDS = 1.0
"""How long `close` waits for the thread's current step."""


class Manager:
    """Loads and unloads versions until stopped; `models` is the current configuration."""

    def __init__(
        self,
        versions: Versions,
        load: Loader,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self.versions = versions
        self.models: ModelConfigs = {}
        self._load = load
        self._settings = settings
        self._metrics = metrics
        # The aspired versions of each model whose base path was read.
        self._aspired: dict[str, Set[Key]] = {}
        # New models of reloads whose clients stopped waiting: the same reload again waits for them.
        self._awaited_new: set[str] = set()
        self._refused = ""
        self._config_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model manager", daemon=True)

    def start(self) -> None:
        """Reads the configuration, then starts the thread that loads and unloads versions.

        Returns, without a timeout, once every model serves, or once one model serves and all
        versions of the others were tried. Logs the models that do not serve. Raises `StatusError`
        if the configuration cannot be used, or no version of any model loads.
        """
        models = config_files.read_models(self._settings)
        self._take(models)
        self._poll(models)
        self._thread.start()
        # Uses the current configuration, since a new one may replace all models meanwhile.
        availability.wait(
            self.versions, lambda: self._awaited(self.models), self._stopping, one_is_enough=True
        )
        missing = [name for name in self.models if not self.versions.serves(name)]
        if missing:
            log.warning("no version serves of: %s; requests for others are answered", missing)

    def stop(self) -> None:
        """Ends the thread after its current step; loaded versions stay until `close`."""
        self._stopping.set()

    def close(self) -> None:
        """Unloads all versions, unless a load is in progress: it cannot be interrupted."""
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)
        if self._thread.is_alive():
            return
        for key in sorted(self.versions.available()):
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
            known = self.models.keys() - (self._awaited_new if models == self.models else set())
            new = {name: model for name, model in models.items() if name not in known}
            for model in new.values():
                aspired_versions.require_versions(model)
            self._take(models)
            self._poll(new)
            self._awaited_new |= new.keys()
        gave_up = False
        try:
            availability.wait(self.versions, lambda: self._awaited(new), self._stopping, deadline)
        except StatusError as error:
            gave_up = error.code in (Code.DEADLINE_EXCEEDED, Code.CANCELLED)
            raise
        finally:
            if not gave_up:
                with self._config_lock:
                    self._awaited_new -= new.keys()

    def _awaited(self, names: Collection[str]) -> list[Set[Key]]:
        """Returns the aspired versions of those models that are still configured."""
        return [self._aspired.get(name, frozenset()) for name in names if name in self.models]

    def _take(self, models: ModelConfigs) -> None:
        """Applies a configuration; raises `StatusError` if its labels cannot be set."""
        new = self._settings.allow_version_labels_for_unavailable_models
        aspired_versions.require_labels(models, self.versions, for_unavailable=new)
        for name in {*self.models, *models}:
            labels = models[name].labels if name in models else {}
            self.versions.set_labels(name, labels)
        self.models = models
        self._aspired = {name: keys for name, keys in self._aspired.items() if name in models}

    def _poll(self, models: ModelConfigs) -> None:
        for name, model in models.items():
            aspired = aspired_versions.poll(model, self._aspired.get(name), self.versions)
            if aspired is not None:
                self._aspired[name] = aspired

    # ---- steps towards the aspired versions ----

    def _step(self) -> None:
        for key in self.versions.available():
            if key.model not in self.models:
                self.versions.unload(key)
        self.versions.give_up(lambda key: key not in self._aspired.get(key.model, ()))
        for name in list(self.models):
            if self._unload_surplus(name):
                continue
            for key in sorted(self._aspired.get(name, ()), reverse=True):
                self._load_if_due(key)
            self._unload_surplus(name)

    def _unload_surplus(self, name: str) -> bool:
        available, aspired = self.versions.available(name), self._aspired.get(name)
        if aspired is None or (aspired and not available & aspired):
            return False
        for key in sorted(available - aspired):
            self.versions.unload(key)
        return bool(available - aspired)

    def _load_if_due(self, key: Key) -> None:
        """Loads a version that is new, is due for a retry, or has changed, as a slow copy does."""
        version = self.versions.known(key)
        if version is None or version.servable is not None or not self._is_due(version):
            return
        version.files_tried = fingerprint(version.path)
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
        if version.files_tried is None:
            return True
        exhausted = version.failures > self._settings.max_num_load_retries
        return not exhausted and time.monotonic() >= version.retry_at

    def _note_failure(self, key: Key, version: Version, error: StatusError) -> None:
        seconds = self._settings.load_retry_interval_micros / 1e6
        # A retry does not fix a bad signature. Changed files may, and are still detected.
        retries, final = self._settings.max_num_load_retries, error.code == Code.UNAUTHENTICATED
        version.failures = retries + 1 if final else version.failures + 1
        version.retry_at = time.monotonic() + seconds
        if version.failures > retries:
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
            self._poll(self.models)

    def _poll_config(self) -> None:
        try:
            # Read with the lock held: otherwise an older text could undo a reload in between.
            with self._config_lock:
                models = config_files.read_models(self._settings)
                if models != self.models:
                    self._take(models)
                    self._poll(models)
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
