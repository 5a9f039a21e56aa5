"""May one configuration follow another? Refusals in the original's order (`server_core.cc`).

One configuration may deserve several of them: after names and paths (`config`) come changes of
platform, labels, platforms, and once all is loaded, logging.
"""

from __future__ import annotations

from serving.local.config import ModelConfig, ModelConfigs, require_known_platforms
from serving.local.errors import failed_precondition, invalid_argument
from serving.local.versions import Versions


def require_legal(
    old: ModelConfigs, new: ModelConfigs, versions: Versions, *, labels_for_unavailable: bool
) -> None:
    """Refuses what cannot follow.

    Args:
        old: the configuration in use.
        new: the one that is asked for.
        versions: what serves now, and under which labels.
        labels_for_unavailable: frees labels that are new (recorded cases 515, 516).

    Raises:
        StatusError: a model of another platform, or a label of a version that does not serve.
    """
    _require_same_platforms(old, new)
    for model in new.values():
        _require_labels(model, versions, labels_for_unavailable)
    require_known_platforms(new)


def _require_same_platforms(old: ModelConfigs, new: ModelConfigs) -> None:
    """Refuses that a model moves to another platform (recorded case 524)."""
    for model in new.values():
        if model.name in old and old[model.name].platform != model.platform:
            raise invalid_argument(
                f"Illegal to change a model's platform. For model {model.name} platform was "
                f"{old[model.name].platform} and new platform requested is {model.platform}"
            )


def _require_labels(model: ModelConfig, versions: Versions, labels_for_unavailable: bool) -> None:
    serving = {key.version for key in versions.loaded(model.name)}
    present = versions.labels(model.name)
    for label, version in model.labels.items():
        kept = present.get(label, version) == version
        if version not in serving and not (kept and labels_for_unavailable):
            raise failed_precondition(
                f"Request to assign label to version {version} of model {model.name}, "
                "which is not currently available for inference"
            )


def require_no_logging(models: ModelConfigs) -> None:
    """Refuses to write requests down, which the original has nothing for either.

    It says so last of all, after a reload's models were loaded.

    Raises:
        StatusError: a model has a `logging_config`.
    """
    if any(model.logs for model in models.values()):
        raise invalid_argument("No request-logger-creator provided.")
