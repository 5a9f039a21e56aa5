"""Where servers do not have what the files say, in sentences that name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serving.client import ServingError
from serving.rollout.checks.preconditions import signed
from serving.rollout.errors import Refused
from serving.rollout.state.config import Layout
from serving.rollout.state.deployment import Deployment
from serving.traffic import Traffic

if TYPE_CHECKING:
    from serving.rollout.remote.figures import Source

States = Mapping[str, Mapping[int, str]]
"""State by version, of each server that answers, by its URL."""

_MOST_NAMED = 5


def differences(
    deployment: Deployment,
    layout: Layout,
    states: States,
    on_disk: Collection[int],
    servers: Sequence[str],
) -> list[str]:
    """Where a server does not have what the file says, be it for a moment only."""
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
    return differing + gone + _astray(deployment, layout, several=several)


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


def _astray(deployment: Deployment, layout: Layout, *, several: bool) -> list[str]:
    """The labels that lead elsewhere on a server."""
    found: dict[str, list[str]] = defaultdict(list)
    try:
        for label, number in sorted(layout.labels.items()):
            for url, answer in deployment.server.versions_of(label).items():
                if answer != number:
                    text = f"{label} is version {number} in the file, {answer} on"
                    found[text].append(url)
    except ServingError as error:
        return [silent(deployment.server.url, error)]
    return [f"{text} {_named(urls) if several else 'the server'}." for text, urls in found.items()]


def front_ends_astray(source: Source | None, share: Traffic | None) -> list[str]:
    """The front ends that give the canary another share than the traffic file says."""
    if source is None or share is None:
        return []
    try:
        told = source.shares()
    except Refused:
        # Whoever asks for figures says so.
        return []
    return [
        f"The front end at {url} gives the canary {percent:g} %, the file says {share.percent:g} %."
        for url, percent in sorted(told.items())
        if percent != share.percent
    ]


def _named(urls: Sequence[str]) -> str:
    more = f" and {len(urls) - _MOST_NAMED} more" if len(urls) > _MOST_NAMED else ""
    return ", ".join(urls[:_MOST_NAMED]) + more


def untrusted(deployment: Deployment, layout: Layout, on_disk: Mapping[int, Path]) -> list[str]:
    """The versions that are to be loaded, and would be refused at the next start."""
    if deployment.verifier is None:
        return []
    found = []
    for number in sorted(layout.versions & on_disk.keys()):
        try:
            signed(deployment.verifier, on_disk[number])
        except Refused as error:
            found.append(f"{error} No server that verifies would load version {number}.")
    return found


def silent(url: str, error: ServingError) -> str:
    """The sentence about a server that cannot be asked."""
    return f"The model server at {url} cannot be asked: {error}"
