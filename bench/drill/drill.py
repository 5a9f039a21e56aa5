"""Runs the stages of a drill, in order."""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bench.drill import people
from bench.drill.answers import RIGHT, Asked, lost, newly_wrong, table, verdict
from bench.drill.pictures import Picture, Pictures
from bench.rollout.clients import Load
from bench.rollout.local import LocalDeployment, local_deployment
from training import __main__ as training
from training.data.dataset import OTHER
from webapp.feedback.store import ACCEPTED

STABLE, TAUGHT = 1, 2
"""The numbers of the shipped version and of the taught version."""
STAGES = 9
SENT_BACK, OTHER_PHOTOS = "new design, sent back", "new design, others"
OLD_BILLS, THINGS = "old bills", "other things"


class Failed(Exception):
    """A stage of the drill, or the drill as a whole, failed."""


@dataclass(frozen=True)
class Plan:
    """The settings of a drill.

    Attributes:
        model: the version to start with, e.g. `models/us_bills/1`.
        pictures: the pictures to ask about and to teach.
        clients: the number of clients that ask without a pause from the canary on.
        percent: the canary's share.
        lost_at_most: the share of old pictures that may lose their correct answer, 0 to 1.
        teach: further flags of `python -m training teach`.
        watch: further flags of `python -m serving rollout watch`.
    """

    model: Path
    pictures: Pictures
    clients: int = 2
    percent: float = 50.0
    lost_at_most: float = 0.1
    teach: Sequence[str] = ()
    watch: Sequence[str] = ()


class Before(NamedTuple):
    """A picture, the row of the table that counts it, and the verdict on its first answer."""

    group: str
    picture: Picture
    verdict: str


@dataclass
class Clock:
    """Announces each stage, and measures its time.

    Attributes:
        took: seconds by stage.
    """

    took: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a stage.

        Raises:
            Failed: the stage failed; the message names the stage.
        """
        say(f"stage {len(self.took) + 1} of {STAGES}: {name}")
        started = time.monotonic()
        try:
            yield
        except (Failed, LookupError, ValueError, OSError) as error:
            raise Failed(f"The stage `{name}` failed: {error}") from error
        self.took[name] = time.monotonic() - started
        say(f"  {self.took[name]:.0f} s")


def run(plan: Plan) -> list[Asked]:
    """Runs the whole drill on copies, in a temporary folder.

    Returns:
        The pictures, with the verdicts on their answers before and after.

    Raises:
        Failed: a stage failed, the new design is not known, old pictures were lost, or a request
            failed.
    """
    clock, started = Clock(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        feedback = Path(folder) / "feedback"
        with clock.stage("start both tiers with the version of today"):
            site = stack.enter_context(_site(Path(folder) / "site", plan.model, feedback))
        before = _ask_before(site, plan, clock)
        _learn(site, plan, clock, feedback)
        load = Load([site.webapp.url], plan.clients)
        with _running(load):
            _roll_out(site, plan, clock, load)
            with clock.stage("ask about the same pictures again"):
                asked = [_again(site, *each) for each in before]
    _report(asked, load, time.monotonic() - started)
    require_reached(plan, asked, load)
    return asked


def _site(folder: Path, model: Path, feedback: Path) -> AbstractContextManager[LocalDeployment]:
    """Returns both tiers with a folder of feedback and a raised rate limit on feedback."""
    settings = {
        "US_BILLS_FEEDBACK": str(feedback),
        "US_BILLS_FEEDBACK_RATE": "1000",
        "US_BILLS_MODELS": str(folder / "models" / "us_bills"),
    }
    return local_deployment(folder, folder / "taught" / "1", model, settings=settings)


@contextmanager
def _running(load: Load) -> Iterator[None]:
    load.start()
    try:
        yield
    finally:
        load.stop()


def _ask_before(site: LocalDeployment, plan: Plan, clock: Clock) -> list[Before]:
    """Asks about all pictures, and reports how many of the new design are not recognised."""
    pictures, url = plan.pictures, site.webapp.url
    with clock.stage("ask about the new design, and about what is known"):
        new = [
            *_verdicts(url, SENT_BACK, pictures.taught),
            *_verdicts(url, OTHER_PHOTOS, pictures.asked),
        ]
        unknown = sum(each.verdict != RIGHT for each in new)
        say(f"  {unknown} of {len(new)} pictures of the new design are not answered rightly")
        if new[0].verdict == RIGHT:
            raise Failed("the version of today knows the first picture of the new design already.")
        old = [*_verdicts(url, OLD_BILLS, pictures.old)]
        old = [each for each in old if each.verdict == RIGHT or not pictures.known_only]
        return [*new, *old, *_verdicts(url, OLD_BILLS, pictures.beside)]


def _verdicts(url: str, group: str, pictures: Iterable[Picture]) -> Iterator[Before]:
    for picture in pictures:
        row = THINGS if picture.label == OTHER else group
        yield Before(row, picture, verdict(picture.label, people.ask(url, picture).told))


def _learn(site: LocalDeployment, plan: Plan, clock: Clock, feedback: Path) -> None:
    """Sends photos back, reviews them and teaches a version, which no server has loaded yet."""
    with clock.stage("send photos back by the page's form, with consent"):
        shown = _send_back(site, plan.pictures)
        say(f"  {len(shown)} photos, one of them of something else")
    with clock.stage("review them on the page of `training review`"):
        labels = {picture.label for picture in plan.pictures.taught}
        accepted, thrown_away = people.review(feedback, shown, labels)
        say(f"  {accepted} accepted, {thrown_away} thrown away")
    with clock.stage("teach"):
        models = str(site.candidate.parent)
        arguments = ["teach", str(feedback / ACCEPTED), "--model", str(plan.model)]
        if training.main([*arguments, "--models", models, *plan.teach]) != 0:
            raise Failed("`training teach` made no version.")


def _send_back(site: LocalDeployment, pictures: Pictures) -> dict[str, str]:
    """Sends photos back; returns their true classes by id. One is not of the new design."""
    url, new = site.webapp.url, {picture.label for picture in pictures.taught}
    known = [*pictures.old, *pictures.beside]
    stray = next((each for each in reversed(known) if each.label not in new), None)
    if stray is None:
        raise Failed("expected old pictures of another class than those of the new design.")
    sent = [*((each, each.label) for each in pictures.taught), (stray, pictures.taught[0].label)]
    return {people.send_back(url, picture, said): picture.label for picture, said in sent}


def _roll_out(site: LocalDeployment, plan: Plan, clock: Clock, load: Load) -> None:
    with clock.stage("publish"):
        _rollout(site, "publish", str(site.candidate))
    with clock.stage(f"canary, {plan.percent:g} % of {plan.clients} clients that ask all the time"):
        load.expect(STABLE, canary=TAUGHT, percent=plan.percent)
        _rollout(site, "canary", str(TAUGHT), "--percent", f"{plan.percent:g}")
    with clock.stage("watch until the test promotes it"):
        load.expect(STABLE, TAUGHT, canary=TAUGHT, percent=plan.percent)
        _rollout(site, "watch", "--auto-promote", *plan.watch)
        load.expect(TAUGHT)


def _rollout(site: LocalDeployment, *arguments: str) -> None:
    say(f"  $ python -m serving rollout {shlex.join(arguments)}".replace(f"{site.folder}/", ""))
    done = site.rollout(*arguments, capture=False)
    if done.returncode != 0:
        raise Failed(f"`rollout {arguments[0]}` ended with status {done.returncode}.")


def _again(site: LocalDeployment, group: str, picture: Picture, before: str) -> Asked:
    reply = people.ask(site.webapp.url, picture)
    if reply.version != TAUGHT:
        raise Failed(f"version {reply.version} answers: the taught one was not promoted.")
    return Asked(group, picture, before, verdict(picture.label, reply.told))


def _report(asked: Sequence[Asked], load: Load, seconds: float) -> None:
    answers = sum(load.answers.values())
    say(f"\n{table(asked)}\n")
    say(f"answers to the clients since the canary: {answers}, failed: {len(load.failures)}")
    minutes, rest = divmod(round(seconds), 60)
    say(f"wall time: {minutes} min {rest} s")


def require_reached(plan: Plan, asked: Sequence[Asked], load: Load) -> None:
    """Checks that the drill reached its goals.

    Raises:
        Failed: it did not; the message has all reasons.
    """
    old = [each for each in asked if each.group in (OLD_BILLS, THINGS)]
    gone, allowed = len(lost(old)), int(plan.lost_at_most * len(old))
    faults = {
        f"{len(load.failures)} requests failed: {load.failures[:3]}": load.failures,
        f"{len(load.wrong)} were answered by a wrong version: {load.wrong[:3]}": load.wrong,
        "the picture that began it is still not answered rightly": asked[0].after != RIGHT,
        f"{len(newly_wrong(old))} old pictures are answered wrongly now": newly_wrong(old),
        f"{gone} old pictures are not answered rightly any more, {allowed} may": gone > allowed,
    }
    if found := [sentence for sentence, is_so in faults.items() if is_so]:
        raise Failed(f"The drill failed: {'; '.join(found)}.")


def say(text: str) -> None:
    """Prints immediately, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
