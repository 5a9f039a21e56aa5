"""Which versions should be in memory: what lies below the base paths, and what policies ask for."""

from __future__ import annotations

from collections.abc import Container, Mapping, Set
from pathlib import Path

from serving.local.errors import failed_precondition
from serving.local.lifecycle.model_config import ModelConfig, ModelConfigs
from serving.local.lifecycle.storage import fingerprint, version_paths, wanted_versions
from serving.local.lifecycle.versions import Key, Status, Versions


class VersionPolicy:
    """The versions that the last look at the disk asked for, by model."""

    def __init__(self, versions: Versions) -> None:
        """Wants nothing yet; a version that is wanted is made known to `versions`."""
        self._versions = versions
        self._policy: dict[str, Set[Key]] = {}

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
            self._versions.note_missing(model.name, _missing(model, paths))
            if paths is not None:
                wanted = wanted_versions(model.policy, paths)
                self._want(model.name, {Key(model.name, number) for number in wanted}, paths)

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


def require_versions(model: ModelConfig) -> None:
    """Refuses a model of which no version could be loaded, with `FAILED_PRECONDITION`."""
    if missing := _missing(model, _paths(model)):
        raise failed_precondition(missing)


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


def _missing(model: ModelConfig, paths: dict[int, Path] | None) -> str:
    """Why there is no version of a model; empty where there is one."""
    if paths is None:
        return f"The base path {model.base_path} of servable {model.name} cannot be read."
    if wanted_versions(model.policy, paths):
        return ""
    return (
        f"No versions of servable {model.name} found under base path {model.base_path}. Did you "
        "forget to name your leaf directory as a number (eg. '/1/')?"
    )
