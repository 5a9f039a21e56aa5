"""Decides which versions should be loaded, by the base paths and the version policies."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from serving.local.errors import failed_precondition
from serving.local.lifecycle.model_config import ModelConfig, ModelConfigs
from serving.local.lifecycle.storage import fingerprint, version_paths, wanted_versions
from serving.local.lifecycle.versions import Key, Status, Versions


def poll(model: ModelConfig, before: Set[Key] | None, versions: Versions) -> Set[Key] | None:
    """Polls a base path, and returns the aspired versions of its model.

    Adds new ones to `versions`. If the base path cannot be read, returns those of the poll
    `before`; None means that it was never read.
    """
    paths, missing = _aspired_paths(model)
    versions.note_missing(model.name, missing)
    if paths is None:
        return before
    aspired = {Key(model.name, number): path for number, path in paths.items()}
    for key, path in sorted(aspired.items()):
        version = versions.known(key)
        ended = version is not None and version.state == Status.END
        if version is None or (ended and (key not in (before or ()) or version.error is None)):
            versions.add(key, path)
        elif version.failures and (version.path, version.files_tried) != (path, fingerprint(path)):
            # Its files or its base path were mended.
            version.path, version.files_tried, version.failures = path, None, 0
    return aspired.keys()


def require_versions(model: ModelConfig) -> None:
    """Raises `FAILED_PRECONDITION` for a model without any version to load."""
    paths, missing = _aspired_paths(model)
    if not paths:
        raise failed_precondition(missing)


def require_labels(models: ModelConfigs, versions: Versions, *, for_unavailable: bool) -> None:
    """Refuses labels of versions that do not serve now; names model, label and version.

    `for_unavailable` allows such labels if they are new or unchanged (recorded cases 515, 516).
    """
    for model in models.values():
        serving = {key.version for key in versions.available(model.name)}
        present = versions.labels(model.name)
        for label, version in model.labels.items():
            kept = present.get(label, version) == version
            if version not in serving and not (kept and for_unavailable):
                raise failed_precondition(
                    f"Request to assign label {label} to version {version} of model {model.name}, "
                    "which is not currently available for inference"
                )


def _aspired_paths(model: ModelConfig) -> tuple[dict[int, Path] | None, str]:
    """Returns the paths of the aspired versions, and a text that says which versions are missing.

    The paths are None if the base path cannot be read; the text is empty if nothing is missing.
    """
    wants_all = model.policy.WhichOneof("policy_choice") == "all"
    found = version_paths(model.base_path, first=wants_all)
    if found is None:
        return None, f"The base path {model.base_path} of servable {model.name} cannot be read."
    paths = {number: found[number] for number in wanted_versions(model.policy, found)}
    text = f"No versions of servable {model.name} found under base path {model.base_path}"
    if absent := sorted(set(model.policy.specific.versions) - set(found)):
        return paths, f"{text} with the numbers {', '.join(map(str, absent))}."
    hint = "Did you forget to name your leaf directory as a number (eg. '/1/')?"
    return paths, "" if paths else f"{text}. {hint}"
