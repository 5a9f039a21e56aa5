"""Shows a whole rollout on the shipped versions, as a transcript: `make rollout-demo`.

Both tiers are started on copies of the files, so nothing of this checkout changes. Where there is
no second version, the first one is rolled out once more.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import requests

from bench.rollout.stage import PHOTO, Stage, stage
from serving.traffic import BUCKETS
from tests.support.servers import ROOT
from webapp.inference.traffic_split import COOKIE

PEOPLE = 50


def main() -> None:
    """Prints each command and what it said."""
    second = ROOT / "models/us_bills/2"
    candidate = second if second.is_dir() else None
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), candidate) as deployment:
        show(deployment)


def show(deployment: Stage) -> None:
    """The way of a version, with a refusal at its start and a change of mind in its middle."""
    candidate = str(deployment.candidate)
    half = str(deployment.folder / "half-copied")
    shutil.copytree(deployment.candidate, half, ignore=shutil.ignore_patterns("variables"))
    run(deployment, "status")
    run(deployment, "publish", half)
    run(deployment, "publish", candidate)
    run(deployment, "canary", "2", "--percent", "10", "--shadow")
    ask(deployment)
    run(deployment, "status")
    run(deployment, "promote", "2")
    ask(deployment)
    run(deployment, "rollback")
    ask(deployment)
    run(deployment, "promote", "2")
    run(deployment, "retire", "1")
    run(deployment, "status")


def run(deployment: Stage, *arguments: str) -> None:
    """Runs a command, and shows it without the flags that say where this stage is."""
    done = deployment.rollout(*arguments)
    shown = f"$ python -m serving rollout {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    for folder in (deployment.folder, ROOT):
        shown = shown.replace(f"{folder}/", "")
    say(shown.rstrip() + "\n")


def ask(deployment: Stage) -> None:
    """Sends requests one after the other, and shows which version answered each."""
    answers: Counter[str] = Counter()
    for person in range(PEOPLE):
        cookie = {COOKIE: str(person * BUCKETS // PEOPLE)}
        url = f"{deployment.webapp.url}/predict"
        reply = requests.post(url, files={"image": PHOTO}, cookies=cookie, timeout=30)
        model = reply.json().get("model", {"label": f"HTTP {reply.status_code}", "version": "-"})
        answers[f"{model['label']}, version {model['version']}"] += 1
    said = "; ".join(f"{count} by {who}" for who, count in answers.most_common())
    say(f"# {PEOPLE} people ask: {said}\n")


def say(text: str) -> None:
    """Prints at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
