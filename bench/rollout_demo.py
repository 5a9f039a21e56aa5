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

from bench.rollout import PHOTO, Stage, stage
from serving.traffic import BUCKETS
from tests.support.servers import ROOT
from webapp.traffic import COOKIE

PEOPLE = 50


def main() -> None:
    """Prints each command and what it said."""
    second = ROOT / "models/us_bills/2"
    candidate = second if second.is_dir() else None
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), candidate) as site:
        show(site)


def show(site: Stage) -> None:
    """The way of a version, with a refusal at its start and a change of mind in its middle."""
    candidate = str(site.candidate)
    half = str(site.folder / "half-copied")
    shutil.copytree(site.candidate, half, ignore=shutil.ignore_patterns("variables"))
    run(site, "status")
    run(site, "publish", half)
    run(site, "publish", candidate)
    run(site, "canary", "2", "--percent", "10", "--shadow")
    ask(site)
    run(site, "status")
    run(site, "promote", "2")
    ask(site)
    run(site, "rollback")
    ask(site)
    run(site, "promote", "2")
    run(site, "retire", "1")
    run(site, "status")


def run(site: Stage, *arguments: str) -> None:
    """Runs a command, and shows it without the flags that say where this stage is."""
    done = site.rollout(*arguments)
    shown = f"$ python -m serving rollout {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    for folder in (site.folder, ROOT):
        shown = shown.replace(f"{folder}/", "")
    say(shown.rstrip() + "\n")


def ask(site: Stage) -> None:
    """Lets people ask, one after the other, and shows who answered them."""
    answers: Counter[str] = Counter()
    for person in range(PEOPLE):
        cookie = {COOKIE: str(person * BUCKETS // PEOPLE)}
        url = f"{site.webapp.url}/predict"
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
