"""`reconcile`: brings model servers that started late, with older files, up to date.

TensorFlow Serving and the local server refuse a whole file if a label in it names a version that is
not loaded. So a server that started with older files stays unchanged when its copy of the files is
replaced in one step, however often the server polls them.
"""

from __future__ import annotations

import math
import time

from serving.client import ServingError
from serving.rollout.errors import Refused
from serving.rollout.remote.fleet import Say
from serving.rollout.report.differences import differences, reported
from serving.rollout.state.deployment import Deployment


def reconcile(
    deployment: Deployment, title: str, say: Say, *, every: float, seconds: float
) -> None:
    """Sends the configuration to servers that differ from the files, until none does.

    A server is told to load a missing version next to those that serve. It loads the version once
    its files are on disk, and gets the labels in a later pass. This command changes no files, and
    holds the lock only while it tells servers, so a rollback may run between two passes.

    Args:
        deployment: its files and servers.
        title: the command, shown to commands that find the lock taken.
        say: called with what is missing, whenever that changes.
        every: seconds between two passes.
        seconds: the timeout; 0 runs for ever, even once no server differs.

    Raises:
        Refused: a server still differs after the timeout.
    """
    deadline = time.monotonic() + seconds if seconds else math.inf
    said: str | None = None
    while True:
        missing = " ".join(_bring(deployment, title))
        if missing != said:
            said = missing
            say(missing or "Every server has what the files say.")
        if seconds and not missing:
            return
        if time.monotonic() >= deadline:
            raise Refused(f"Not every server has what the files say within {seconds:g} s.")
        time.sleep(every)


def _bring(deployment: Deployment, title: str) -> list[str]:
    """Updates all servers if one differs; returns sentences about what is still missing."""
    try:
        if not _missing(deployment):
            return []
        with deployment.exclusive(title):
            late = deployment.server.bring(deployment.config.message())
        return [f"{url}: {words}." for url, words in late.items()] or _missing(deployment)
    except (Refused, ServingError, OSError) as error:
        # Another command runs, no server answers, or a file cannot be read at this moment.
        return [str(error)]


def _missing(deployment: Deployment) -> list[str]:
    """Returns sentences about what differs of any model, since servers get the whole file."""
    sentences: list[str] = []
    for model in deployment.config.models:
        of = "" if model == deployment.config.model else f"{model}: "
        sentences += [of + sentence for sentence in _missing_of(deployment, model)]
    return sentences


def _missing_of(deployment: Deployment, model: str) -> list[str]:
    states, away, servers = reported(deployment, model)
    layout = deployment.layout(model)
    return away + differences(deployment, layout, states, layout.versions, servers, model)
