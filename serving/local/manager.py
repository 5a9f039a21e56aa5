"""Keeps memory in step with the disk and the configuration.

One thread looks at the base paths and at the configuration file at their intervals, and ten times
a second takes the next step towards what they ask for. A new version is loaded before the old one
goes; where another wanted version serves already, the surplus one goes first (recorded cases 600
and 603).
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Set

from serving.local import arrivals, memory
from serving.local.config import ModelConfigs
from serving.local.errors import Code, StatusError
from serving.local.loader import Loader
from serving.local.metrics import Metrics
from serving.local.storage import fingerprint
from serving.local.transition import require_legal, require_no_logging
from serving.local.versions import Key, Status, Version, Versions
from serving.local.wanted import Wanted, require_versions

log = logging.getLogger(__name__)

STEP_SECONDS = 0.1
"""The original's `manage_state_interval`: how long a version is seen in its START state."""

END_SECONDS = 1.0
"""What a step takes at most that loads nothing."""


@dataclasses.dataclass(frozen=True)
class ManagerOptions:
    """How to look after models; each field is the flag of that name, times in seconds."""

    poll_seconds: float = 1.0
    config_poll_seconds: float = 0.0
    max_load_retries: int = 5
    retry_seconds: float = 60.0
    labels_for_unavailable: bool = False


class Manager:
    """Loads and unloads versions until stopped."""

    def __init__(
        self,
        versions: Versions,
        read_config: Callable[[], ModelConfigs],
        load: Loader,
        options: ManagerOptions,
        metrics: Metrics,
    ) -> None:
        self.versions = versions
        self._read_config = read_config
        self._load = load
        self._options = options
        self._metrics = metrics
        self._models: ModelConfigs = {}
        self._wanted = Wanted(versions)
        self._refused = ""
        self._config_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model manager", daemon=True)

    def start(self) -> None:
        """Reads the configuration, then watches in its own thread.

        Returns once every model has a version that serves, however long that takes.

        Raises:
            StatusError: the configuration cannot be used, or no version of a model can be loaded
                (recorded cases 807 to 821, 831).
        """
        models = self._read_config()
        self._require_usable(models)
        self._apply(models)
        self._wanted.look(models)
        self._thread.start()
        arrivals.wait(self.versions, models, self._awaited, "servable(s)", self._stopping)
        require_no_logging(models)

    def stop(self) -> None:
        """Has the watch end after its step; loaded versions stay until `close`."""
        self._stopping.set()

    def close(self) -> None:
        """Unloads everything, unless a load is under way.

        That cannot be cut off, and what it has and what it would unload goes with the process.
        """
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            return
        for key in sorted(self.versions.loaded()):
            self.versions.unload(key)

    def reload(self, models: ModelConfigs, timeout_seconds: float | None = None) -> None:
        """Takes another configuration, as `HandleReloadConfigRequest` asks for.

        Models that stay are looked at in their usual time. The call returns once those that are new
        serve. One without any version is refused, where the original would wait for ever and
        every later reload behind it (recorded cases 520, 548 to 552).

        Raises:
            StatusError: it cannot be used, and the old one stays; or a new model cannot be loaded.
        """
        with self._config_lock:
            self._require_usable(models)
            new = {name: model for name, model in models.items() if name not in self._models}
            for model in new.values():
                require_versions(model)
            self._apply(models)
            self._wanted.look(new)
        arrivals.wait(
            self.versions, new, self._awaited, "model(s)", self._stopping, timeout_seconds
        )
        require_no_logging(models)

    def _awaited(self, name: str) -> Set[Key] | None:
        return self._wanted.of(name) if name in self._models else None

    def _apply(self, models: ModelConfigs) -> None:
        for name in {*self._models, *models}:
            labels = models[name].labels if name in models else {}
            self.versions.set_labels(name, labels)
        self._models = models
        self._wanted.keep(models)

    def _require_usable(self, models: ModelConfigs) -> None:
        free = self._options.labels_for_unavailable
        require_legal(self._models, models, self.versions, labels_for_unavailable=free)

    # ---- steps towards it ----

    def _step(self) -> None:
        for key in self.versions.loaded():
            if key.model not in self._models:
                self.versions.unload(key)
        self.versions.give_up(lambda key: key not in self._wanted.of(key.model))
        for model in list(self._models.values()):
            if self._unload_surplus(model.name):
                continue
            for key in sorted(self._wanted.of(model.name), reverse=True):
                self._load_if_due(key)
            self._unload_surplus(model.name)

    def _unload_surplus(self, name: str) -> bool:
        loaded, wanted = self.versions.loaded(name), self._wanted.of(name)
        if not self._wanted.seen(name) or (wanted and not loaded & wanted):
            return False
        for key in sorted(loaded - wanted):
            self.versions.unload(key)
        return bool(loaded - wanted)

    def _load_if_due(self, key: Key) -> None:
        """Loads a version that was never tried, whose time has come, or whose files changed.

        The last makes a slow copy serve once it is complete.
        """
        version = self.versions.known(key)
        if version is None or version.servable is not None or not self._is_due(version):
            return
        version.tried = fingerprint(version.path)
        self.versions.set_state(key, Status.LOADING)
        try:
            with self._metrics.load(version.path):
                servable = self._load(version.path)
        except StatusError as error:
            self._note_failure(key, version, error)
        except Exception as error:
            # Files that cannot be read, no memory: it waits for its next try like any other, or
            # the steps of all other models would never get their turn.
            text = f"{type(error).__name__}: {error}"
            self._note_failure(key, version, StatusError(Code.INTERNAL, text))
        else:
            self.versions.publish(key, servable, self._stopping)
            return
        # Not sooner: an error's traceback holds what was read.
        memory.return_freed()

    def _is_due(self, version: Version) -> bool:
        if version.tried is None:
            return True
        exhausted = version.failures > self._options.max_load_retries
        return not exhausted and time.monotonic() >= version.retry_at

    def _note_failure(self, key: Key, version: Version, failure: StatusError) -> None:
        # Without its traceback, since it stays.
        error = StatusError(failure.code, failure.message)
        version.failures += 1
        version.retry_at = time.monotonic() + self._options.retry_seconds
        if version.failures > self._options.max_load_retries:
            self.versions.set_state(key, Status.END, error=error)
        else:
            log.warning(
                "%s version %s: cannot be loaded, %s; next try in %g s or when its files change",
                key.model, key.version, error, self._options.retry_seconds,
            )  # fmt: skip

    # ---- the thread ----

    def _watch(self) -> None:
        disk, config = self._options.poll_seconds, self._options.config_poll_seconds
        next_disk, next_config = time.monotonic() + disk, time.monotonic() + config
        while not self._stopping.is_set():
            self._guarded(self._step)
            self._stopping.wait(STEP_SECONDS)
            now = time.monotonic()
            if config > 0 and now >= next_config:
                next_config = now + config
                self._guarded(self._poll_config)
            if disk > 0 and now >= next_disk:
                next_disk = now + disk
                self._guarded(self._poll_disk)

    def _poll_disk(self) -> None:
        with self._config_lock:
            self._wanted.look(self._models)

    def _poll_config(self) -> None:
        try:
            # Read within the lock: else a reload that comes between would be undone by older text.
            with self._config_lock:
                models = self._read_config()
                if models == self._models:
                    self._refused = ""
                    return
                self._require_usable(models)
                self._apply(models)
                self._wanted.look(models)
        except StatusError as error:
            self._log_refusal(error)

    def _log_refusal(self, error: StatusError) -> None:
        if error.message != self._refused:
            self._refused = error.message
            log.error("The new configuration is refused, the last good one stays: %s", error)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("%s: looking after the models failed; it goes on", Code.INTERNAL.name)
