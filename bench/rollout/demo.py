"""Shows a whole rollout on the shipped versions, as a transcript: `make rollout-demo`.

Both tiers run on copies of the files, so this checkout does not change. If there is no second
version, a copy of the first one is rolled out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import requests

from bench.names import COUNTER, MODEL
from bench.rollout.local import PHOTO, LocalDeployment, local_deployment
from serving.traffic import BUCKETS
from tests.support.servers import ROOT
from webapp.inference.traffic_split import COOKIE

PEOPLE = 50


def main() -> None:
    """Prints each command and its output."""
    parser = argparse.ArgumentParser(prog="python -m bench.rollout.demo", description=__doc__)
    parser.add_argument("--counter", action="store_true", help="roll out the counter instead")
    options = parser.parse_args()
    second = ROOT / "models" / MODEL / "2"
    candidate = second if second.is_dir() else None
    counter = ROOT / "models" / COUNTER / "1"
    with (
        tempfile.TemporaryDirectory() as folder,
        local_deployment(Path(folder), candidate, counter=counter) as deployment,
    ):
        show_counter(deployment) if options.counter else show(deployment)


def show(deployment: LocalDeployment) -> None:
    """Shows the rollout of a version, with a refusal at its start and a rollback in its middle."""
    candidate = str(deployment.candidate)
    half = str(_half_copied(deployment.candidate, deployment.folder / "half-copied"))
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


def _half_copied(version: Path, folder: Path) -> Path:
    """Returns a copy cut off in the middle of the graph's file, which also holds the weights."""
    shutil.copytree(version, folder)
    graph = folder / "saved_model.pb"
    os.truncate(graph, graph.stat().st_size // 2)
    return folder


def show_counter(deployment: LocalDeployment) -> None:
    """Shows a trial of a counter version, and its rollback."""
    another = shutil.copytree(
        deployment.folder / "models" / COUNTER / "1", deployment.folder / "new"
    )
    (another / "assets.extra" / "note.txt").write_text("The same model once more.\n")
    run(deployment, "--model", COUNTER, "publish", str(another))
    run(deployment, "--model", COUNTER, "canary", "2", "--percent", "10")
    ask(deployment, "count")
    run(deployment, "--model", COUNTER, "status")
    run(deployment, "--model", COUNTER, "rollback")


def run(deployment: LocalDeployment, *arguments: str) -> None:
    """Runs a command, and shows it without the flags that locate this deployment."""
    done = deployment.rollout(*arguments)
    shown = f"$ python -m serving rollout {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    for folder in (deployment.folder, ROOT):
        shown = shown.replace(f"{folder}/", "")
    say(shown.rstrip() + "\n")


def ask(deployment: LocalDeployment, member: str = "model") -> None:
    """Sends requests one after the other, and shows how many each version answered or counted."""
    answers: Counter[str] = Counter()
    for person in range(PEOPLE):
        cookie = {COOKIE: str(person * BUCKETS // PEOPLE)}
        url = f"{deployment.webapp.url}/predict"
        reply = requests.post(url, files={"image": PHOTO}, cookies=cookie, timeout=30)
        model = reply.json().get(member, {"label": f"HTTP {reply.status_code}", "version": "-"})
        answers[f"{model['label']}, version {model['version']}"] += 1
    said = "; ".join(f"{count} by {who}" for who, count in answers.most_common())
    say(f"# {PEOPLE} people ask: {said}\n")


def say(text: str) -> None:
    """Prints immediately, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
