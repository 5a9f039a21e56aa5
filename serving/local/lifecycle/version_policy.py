"""Which versions should be in memory: what lies below the base paths, and what policies ask for."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Set
from pathlib import Path

from serving.local.errors import failed_precondition
from serving.local.lifecycle.model_config import ModelConfig, ModelConfigs
from serving.local.lifecycle.storage import fingerprint, version_paths, wanted_versions
from serving.local.lifecycle.versions import Key, Status, Versions

log = logging.getLogger(__name__)


class VersionPolicy:
    """The versions that the last look at the disk asked for, by model."""

    def __init__(self, versions: Versions) -> None:
        """Wants nothing yet; a version that is wanted is made known to `versions`."""
        self._versions = versions
        self._policy: dict[str, Set[Key]] = {}
        self._told: dict[str, str] = {}

    def of(self, name: str) -> Set[Key]:
        """What is wanted of a model; nothing where its base path was never read."""
        return self._policy.get(name, frozenset())

    def seen(self, name: str) -> bool:
        """Whether its base path was read, so that wanting nothing of it means just that."""
        return name in self._policy

    def keep(self, names: Container[str]) -> None:
        """Forgets all other models."""
        self._policy = {name: keys for name, keys in self._policy.items() if name in names}

    def resolve(self, models: ModelConfigs) -> None:
        """Looks at the base paths; one that cannot be read leaves what was wanted of it."""
        for model in models.values():
            paths = _paths(model)
            if paths is None:
                self._tell(model, f"its base path {model.base_path} cannot be read")
                continue
            wanted = {Key(model.name, version) for version in wanted_versions(model.policy, paths)}
            self._tell(model, "" if wanted else _nothing_there(model))
            self._want(model.name, wanted, paths)

    def _want(self, name: str, wanted: Set[Key], paths: Mapping[int, Path]) -> None:
        before = self.of(name)
        for key in sorted(wanted):
            version = self._versions.known(key)
            ended = version is not None and version.state == Status.END
            if version is None or (ended and (key not in before or version.error is None)):
                self._versions.add(key, paths[key.version])
            elif version.failures and fingerprint(version.path) != version.tried:
                version.tried, version.failures = None, 0
        self._policy[name] = wanted

    def _tell(self, model: ModelConfig, text: str) -> None:
        """Says once what a model lacks, and to those that ask for its state.

        The original says it in the log, at every look.
        """
        if text and self._told.get(model.name) != text:
            log.warning("%s: %s", model.name, text)
        self._told[model.name] = text
        self._versions.note_missing(model.name, text)


def require_versions(model: ModelConfig) -> None:
    """Refuses a model of which no version could be loaded.

    Raises:
        StatusError: its base path cannot be read, or holds no version that its policy asks for.
    """
    paths = _paths(model)
    if paths is None:
        text = f"Could not find base path {model.base_path} for servable {model.name}"
        raise failed_precondition(text)
    if not wanted_versions(model.policy, paths):
        raise failed_precondition(_nothing_there(model))


def require_labels(models: ModelConfigs, versions: Versions, *, for_unavailable: bool) -> None:
    """Refuses labels of versions that do not serve now; names model, label and version.

    `for_unavailable` allows those that are new (recorded cases 515, 516).
    """
    for model in models.values():
        serving = {key.version for key in versions.loaded(model.name)}
        present = versions.labels(model.name)
        for label, version in model.labels.items():
            kept = present.get(label, version) == version
            if version not in serving and not (kept and for_unavailable):
                raise failed_precondition(
                    f"Request to assign label {label} to version {version} of model {model.name}, "
                    "which is not currently available for inference"
                )


def _paths(model: ModelConfig) -> dict[int, Path] | None:
    return version_paths(model.base_path, first=model.policy.WhichOneof("policy_choice") == "all")


def _nothing_there(model: ModelConfig) -> str:
    return (
        f"No versions of servable {model.name} found under base path {model.base_path}. Did you "
        "forget to name your leaf directory as a number (eg. '/1/')?"
    )
