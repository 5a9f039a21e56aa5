"""`reconcile`: brings model servers that came late, with older files, to the state of the files.

A server refuses a file whose label names a version that it has not loaded, and loads none of it
then, TensorFlow Serving as the local server. So one that began with older files stays as it is when
its copy of the files is renewed all at once, however often it looks at them.
"""

from __future__ import annotations

import math
import time

from serving.client import ServingError
from serving.rollout.errors import Refused
from serving.rollout.report.differences import differences, silent
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Say


def reconcile(
    deployment: Deployment, title: str, say: Say, *, every: float, seconds: float
) -> None:
    """Tells servers that differ from the files, until none does.

    A version that is not on a server's disk yet is asked for beside what serves there. The server
    loads it as soon as it finds it, and takes the labels at a later look. The files stay as they
    are, and the lock is held only while servers are told: a rollback may come between two looks.

    Args:
        deployment: its files and servers.
        title: the command, for those that find the lock taken.
        say: told what is missing, where that has changed.
        every: seconds between two looks.
        seconds: when to give up; 0 goes on for ever, also once no server differs.

    Raises:
        Refused: the time is over.
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
    """Tells all servers where one differs; returns sentences about what is missing after that."""
    try:
        if not _missing(deployment):
            return []
        with deployment.exclusive(title):
            late = deployment.server.bring(deployment.config.message())
        return [f"{url}: {words}." for url, words in late.items()] or _missing(deployment)
    except (Refused, ServingError) as error:
        # Another command runs, or no server answers: both may be over at the next look.
        return [str(error)]


def _missing(deployment: Deployment) -> list[str]:
    found, layout = deployment.server.states(), deployment.layout()
    away = [silent(url, error) for url, error in found.items() if isinstance(error, ServingError)]
    states = {
        url: {number: status.state for number, status in of_one.items()}
        for url, of_one in found.items()
        if not isinstance(of_one, ServingError)
    }
    return away + differences(deployment, layout, states, layout.versions, list(found))
