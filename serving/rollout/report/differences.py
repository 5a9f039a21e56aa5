"""Finds servers and front ends that differ from the files, and names them in sentences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serving.client import ServingError
from serving.rollout.checks.preconditions import require_signed
from serving.rollout.errors import Refused
from serving.rollout.state.config import Layout
from serving.rollout.state.deployment import Deployment
from serving.traffic import Traffic

if TYPE_CHECKING:
    from serving.rollout.remote.source import Source

States = Mapping[str, Mapping[int, str]]
"""For each server that answers, by its URL: the state by version."""

_MOST_NAMED = 5


def reported(
    deployment: Deployment, model: str | None = None
) -> tuple[States, list[str], list[str]]:
    """Asks the servers for the states of this or another model.

    Returns:
        The states, a sentence for each server that cannot be asked, and the URLs of all servers.

    Raises:
        ServingError: no server can be asked.
    """
    found = deployment.server.states(model)
    away = [silent(url, x) for url, x in found.items() if isinstance(x, ServingError)]
    states = {
        url: {number: status.state for number, status in of_one.items()}
        for url, of_one in found.items()
        if not isinstance(of_one, ServingError)
    }
    return states, away, list(found)


def differences(
    deployment: Deployment,
    layout: Layout,
    states: States,
    on_disk: Collection[int],
    servers: Sequence[str],
    model: str | None = None,
) -> list[str]:
    """Returns a sentence for each difference between a server and the file, even a brief one.

    Args:
        deployment: its servers are asked where their labels lead.
        layout: what the file says.
        states: what the servers say.
        on_disk: the versions on disk.
        servers: the URLs of all servers.
        model: the model that is compared, if not the deployment's.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for url, of_one in states.items():
        for text in _differences_of_one(layout, of_one):
            found[text].append(url)
    gone = [
        f"The folder of version {number} is gone; `retire {number}` takes it out of the file."
        for number in sorted(layout.versions)
        if number not in on_disk
    ]
    several = len(servers) > 1
    differing = [
        f"{text}{f' on {_named(urls)}' if several else ''}." for text, urls in found.items()
    ]
    return differing + gone + astray(deployment, layout.labels, model, several=several)


def _differences_of_one(layout: Layout, states: Mapping[int, str]) -> list[str]:
    missing = {number: states.get(number, "not loaded") for number in sorted(layout.versions)}
    loaded = {number for number, state in states.items() if state == "AVAILABLE"}
    return [
        f"Version {number} is to be loaded, and its state is {state}"
        for number, state in missing.items()
        if state != "AVAILABLE"
    ] + [
        f"Version {number} is loaded, and the configuration does not ask for it"
        for number in sorted(loaded - layout.versions)
    ]


def astray(
    deployment: Deployment, labels: Mapping[str, int], model: str | None = None, *, several: bool
) -> list[str]:
    """Returns sentences about labels that lead to another version on a server than in the file."""
    found: dict[str, list[str]] = defaultdict(list)
    try:
        for label, number in sorted(labels.items()):
            for url, answer in deployment.server.versions_of(label, model).items():
                if answer != number:
                    text = f"{label} is version {number} in the file, {answer} on"
                    found[text].append(url)
    except ServingError as error:
        return [silent(deployment.server.url, error)]
    return [f"{text} {_named(urls) if several else 'the server'}." for text, urls in found.items()]


def front_ends_astray(source: Source | None, split: Traffic | None) -> list[str]:
    """Returns sentences about front ends whose canary share differs from the traffic file."""
    if source is None or split is None:
        return []
    try:
        told = source.canary_percents()
    except Refused:
        # The caller that reads the figures reports this.
        return []
    return [
        f"The front end at {url} gives the canary {percent:g} %, the file says {split.percent:g} %."
        for url, percent in sorted(told.items())
        if percent != split.percent
    ]


def _named(urls: Sequence[str]) -> str:
    more = f" and {len(urls) - _MOST_NAMED} more" if len(urls) > _MOST_NAMED else ""
    return ", ".join(urls[:_MOST_NAMED]) + more


def untrusted(deployment: Deployment, layout: Layout, on_disk: Mapping[int, Path]) -> list[str]:
    """Returns sentences about versions to load that a server would refuse at its next start."""
    if deployment.verifier is None:
        return []
    found = []
    for number in sorted(layout.versions & on_disk.keys()):
        try:
            require_signed(deployment.verifier, on_disk[number])
        except Refused as error:
            found.append(f"{error} No server that verifies would load version {number}.")
    return found


def silent(url: str, error: ServingError) -> str:
    """Returns the sentence about a server that cannot be asked."""
    return f"The model server at {url} cannot be asked: {error}"
