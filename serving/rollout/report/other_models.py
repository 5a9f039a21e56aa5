"""A line for each other model of a site; `status` shows the details of one model only."""

from __future__ import annotations

from collections.abc import Mapping

from serving.client import ServingError, VersionStatus
from serving.rollout.errors import Refused
from serving.rollout.report.differences import astray
from serving.rollout.state.deployment import Deployment


def others(deployment: Deployment) -> list[str]:
    """Says of each other model of `models.config` which versions its labels lead to.

    Args:
        deployment: of the model that `status` shows in detail; its servers are asked.

    Returns:
        Sentences, each with the flag that shows the details of its model.
    """
    labels = deployment.config.labels_of_others()
    return [f"Also {name}: {_model(deployment, name, of)}." for name, of in labels.items()]


def _model(deployment: Deployment, name: str, labels: Mapping[str, int]) -> str:
    states = _states(deployment, name)
    several = len(states) > 1
    wrong = astray(deployment, labels, name, several=several) if states else []
    said = [f"{label} is version {n}, {_on_all(states, n)}" for label, n in sorted(labels.items())]
    told = [*said, *(sentence.rstrip(".") for sentence in wrong), *_traffic(deployment, name)]
    return f"{'; '.join(told) or 'no labels'} (--model {name})"


def _states(deployment: Deployment, name: str) -> list[Mapping[int, VersionStatus]]:
    """Returns a model's states on each server that answers; empty if none answers."""
    try:
        found = deployment.server.states(name).values()
    except ServingError:
        return []
    return [of_one for of_one in found if not isinstance(of_one, ServingError)]


def _on_all(states: list[Mapping[int, VersionStatus]], version: int) -> str:
    """The state of a version, or several where servers differ."""
    said = {s[version].state if version in s else "not loaded" for s in states}
    return " or ".join(sorted(said)) or "?"


def _traffic(deployment: Deployment, name: str) -> list[str]:
    try:
        split = deployment.traffic(name)
    except Refused:
        return ["traffic ?"]
    return [] if split.canary is None else [f"the canary gets {split.percent:g} %"]
