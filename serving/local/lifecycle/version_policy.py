"""Decides which versions should be loaded, by the base paths and the version policies."""

from __future__ import annotations

from collections.abc import Container, Mapping, Set
from pathlib import Path

from serving.local.errors import failed_precondition
from serving.local.lifecycle.model_config import ModelConfig, ModelConfigs
from serving.local.lifecycle.storage import fingerprint, version_paths, wanted_versions
from serving.local.lifecycle.versions import Key, Status, Versions


class VersionPolicy:
    """The wanted versions by model, as of the last poll of the disk."""

    def __init__(self, versions: Versions) -> None:
        """Starts without wanted versions; later ones are added to `versions`."""
        self._versions = versions
        self._policy: dict[str, Set[Key]] = {}

    def of(self, name: str) -> Set[Key]:
        """Returns the wanted versions of a model; none if its base path was never read."""
        return self._policy.get(name, frozenset())

    def seen(self, name: str) -> bool:
        """Returns whether a model's base path was read, so that `of` is valid even if empty."""
        return name in self._policy

    def keep(self, names: Container[str]) -> None:
        """Forgets all models except these."""
        self._policy = {name: keys for name, keys in self._policy.items() if name in names}

    def resolve(self, models: ModelConfigs) -> None:
        """Polls the base paths; an unreadable one leaves its model's wanted versions unchanged."""
        for model in models.values():
            paths = _paths(model)
            self._versions.note_missing(model.name, _missing(model, paths))
            if paths is not None:
                wanted = wanted_versions(model.policy, paths)
                self._want(model.name, {Key(model.name, number) for number in wanted}, paths)

    def _want(self, name: str, wanted: Set[Key], paths: Mapping[int, Path]) -> None:
        before = self.of(name)
        for key in sorted(wanted):
            version, path = self._versions.known(key), paths[key.version]
            ended = version is not None and version.state == Status.END
            if version is None or (ended and (key not in before or version.error is None)):
                self._versions.add(key, path)
            elif version.failures and (version.path, version.tried) != (path, fingerprint(path)):
                # Its files or its base path were mended.
                version.path, version.tried, version.failures = path, None, 0
        self._policy[name] = wanted


def require_versions(model: ModelConfig) -> None:
    """Raises `FAILED_PRECONDITION` for a model without any version to load."""
    if missing := _missing(model, _paths(model)):
        raise failed_precondition(missing)


def require_labels(models: ModelConfigs, versions: Versions, *, for_unavailable: bool) -> None:
    """Refuses labels of versions that do not serve now; names model, label and version.

    `for_unavailable` allows such labels if they are new or unchanged (recorded cases 515, 516).
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
    """Returns why a model has no version to load; empty if it has one."""
    if paths is None:
        return f"The base path {model.base_path} of servable {model.name} cannot be read."
    if wanted_versions(model.policy, paths):
        return ""
    return (
        f"No versions of servable {model.name} found under base path {model.base_path}. Did you "
        "forget to name your leaf directory as a number (eg. '/1/')?"
    )
