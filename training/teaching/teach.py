"""Teaches a version new photos, without its original training photos: `make teach`.

The layers behind the middle of the network learn views of the new photos, mixed with the rehearsal
set of the version. This lesson runs twice from the same start. The first lesson leaves out a fifth
of the new photos, which then measure how well such a design is learnt; the second leaves out none,
since of twenty photos each one matters. The result is calibrated again, compared with the old
version class by class, and published only if it lost no more than is allowed.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from training.data import dataset
from training.data.dataset import Photo
from training.data.split import fingerprint, split
from training.evaluation import model_card
from training.export.calibration import Calibration
from training.export.signatures import write_saved_model
from training.export.version import WARM_UP, draft_beside, publish
from training.progress import say
from training.rehearsal import parts, rehearsal
from training.rehearsal.parts import Floats, Parts
from training.rehearsal.rehearsal import Rehearsal
from training.teaching import trust
from training.teaching.changes import (
    Change,
    Judged,
    changes,
    facts,
    judged,
    require_kept,
    table,
)
from training.teaching.lessons import Before, Examples, Lessons, learn

VIEWS = 2_000
"""All views of new photos in the first lesson; the second lesson has as many of each photo."""
JUDGED_VIEWS = 200
"""All views of the held-out new photos."""
NEW_KEPT = 160
"""The most new views that are added to the next version's rehearsal set."""
LEAST_PHOTOS = 5
STEPS = 400
RATE = 5e-4


class Taught(NamedTuple):
    """The result of both lessons.

    Attributes:
        network: The network that learnt all new photos.
        learnt: Views of all new photos, as activations.
        to_judge: Views of the new photos that the first lesson left out, as activations.
        logits: The logits of `to_judge` by the first lesson's network, float32 [N,C].
    """

    network: Parts
    learnt: Examples
    to_judge: Examples
    logits: Floats


def teach(
    photos: list[Photo],
    version: Path,
    models: Path,
    command: str,
    lost_at_most: float,
    class_names: dict[str, Any] | None = None,
    steps: int = STEPS,
) -> Path:
    """Makes the next version from a version and new photos, and prints gains and losses.

    Args:
        photos: The new photos: of a new design of a class, or of a new class.
        version: The folder of the version that learns, e.g. `models/us_bills/1`.
        models: The folder in which the next version is made.
        command: The command line, for the model card.
        lost_at_most: The largest share of its held-out pictures that a class may lose, from 0 to 1.
        class_names: The values and words of classes, for the model card.
        steps: The number of batches to learn from.

    Returns:
        The folder of the next version.

    Raises:
        FileNotFoundError: The version has no model card or no rehearsal set.
        ValueError: Too few photos can be read; `class_names` has an unknown class; or more was lost
            than allowed, in which case nothing is published.
    """
    card, kept = model_card.read_classifier(version), rehearsal.read(version)
    photos = dataset.readable(photos)
    seed = card["recipe"]["seed"]
    keras.utils.set_random_seed(seed)
    cv2.setNumThreads(1)
    classes = _all_classes(card["classes"], photos)
    named = model_card.with_names({**card, "classes": classes}, class_names or {})
    before = Before(parts.of_version(version, card), card["classes"], card["temperature"])

    def lesson(examples: Examples, stage: str) -> Parts:
        network = parts.with_room(version, card, classes)
        learn(network, Lessons(before, examples, kept, classes, steps, seed), stage, RATE)
        return network

    taught = _twice(lesson, before.network, photos, seed)
    say("stage 4 of 4: calibration, comparison with the version before, export")
    calibration, figures, found = _compared(before, taught, kept, classes, Calibration.of(card))
    say(table(found))
    require_kept(found, lost_at_most)
    lesson_facts = {
        "command": command,
        "version": version.name,
        "photos": dataset.counts(photos),
        "data_fingerprint": fingerprint(photos),
        "changes": facts(found),
    }
    next_card = {**named, **calibration._asdict(), **figures, "taught": lesson_facts}
    return _publish(taught.network, next_card, kept, taught.learnt, version, models)


def _twice(
    lesson: Callable[[Examples, str], Parts], network: Parts, photos: list[Photo], seed: int
) -> Taught:
    """Runs a lesson without a fifth of the photos, which evaluate it, and one with all photos."""
    some, judges = split(photos, seed)
    say(f"stage 1 of 4: views of {len(some)} new photos to learn from, {len(judges)} to judge by")
    of_each = max(1, VIEWS // len(some))
    new, left_out = (_views(network, part, of_each, seed) for part in (some, judges))
    to_judge = _views(network, judges, max(1, JUDGED_VIEWS // len(judges)), seed)
    say("stage 2 of 4: the layers behind the middle learn without those to judge by")
    logits = lesson(new, "stage 2").logits(to_judge.activations)
    say("stage 3 of 4: they learn all new photos")
    learnt = _both(new, left_out)
    return Taught(lesson(learnt, "stage 3"), learnt, to_judge, logits)


def _compared(
    before: Before, taught: Taught, kept: Rehearsal, classes: list[str], old: Calibration
) -> tuple[Calibration, dict[str, Any], list[Change]]:
    """Returns the new calibration, figures for the model card, and the change of each class.

    The old pictures were in neither lesson; the new ones were not in the first lesson.
    """
    both = _both(_examples(kept, kept.held_out), taught.to_judge)
    is_old = np.arange(len(both.labels)) < kept.held_out.sum()
    logits = np.concatenate([taught.network.logits(both.activations[is_old]), taught.logits])
    earlier = judged(before.network.logits(both.activations), before.classes, old)
    # The old version did not know the new photos, so none of its answers to them counts as sure.
    example = Judged(earlier.said, earlier.sure & is_old)
    calibration = trust.calibrated(logits, both.labels, example, classes, old)
    known = both.labels != rehearsal.NO_CLASS
    now = judged(logits[known], classes, calibration)
    was = Judged(earlier.said[known], earlier.sure[known])
    held_out = trust.measured(logits[known], both.labels[known], classes, calibration)
    figures = {
        "selection": trust.counted(logits, both.labels, classes, calibration)._asdict(),
        "measures": {"held_out": held_out},
    }
    return calibration, figures, changes(both.labels[known], ~is_old[known], was, now)


def _all_classes(known: list[str], photos: list[Photo]) -> list[str]:
    """Returns the classes of a version and of new photos, in the order of a training run.

    A class that is new to the version is told, since its name may be a slip.

    Raises:
        ValueError: A class has too few photos to learn from some and evaluate on others.
    """
    if few := {label: n for label, n in dataset.counts(photos).items() if n < LEAST_PHOTOS}:
        raise ValueError(
            f"Too few new photos: {few}. Expected at least {LEAST_PHOTOS} of each class that"
            " changes, better 20, each another picture."
        )
    if new := [label for label in dataset.classes_of(photos) if label not in known]:
        say(f"new classes: {', '.join(new)}; the version knows {', '.join(known)}")
    return dataset.in_order({*known, *new})


def _views(network: Parts, photos: list[Photo], of_each: int, seed: int) -> Examples:
    """Returns views of the photos as activations of the layer behind which `teach` trains."""
    readable, views = rehearsal.views_of(photos * of_each, seed)
    return Examples(network.activations(views), np.array([photo.label for photo in readable]))


def _examples(kept: Rehearsal, chosen: NDArray[np.bool_]) -> Examples:
    return Examples(kept.activations(chosen), kept.labels[chosen])


def _both(old: Examples, new: Examples) -> Examples:
    return Examples(
        np.concatenate([old.activations, new.activations]),
        np.concatenate([old.labels, new.labels]),
    )


def _publish(
    after: Parts,
    card: dict[str, Any],
    kept: Rehearsal,
    new: Examples,
    version: Path,
    models: Path,
) -> Path:
    """Writes the version, with some of the new views added to its rehearsal set."""
    added = _to_rehearse(new, card["recipe"]["seed"])
    calibration = Calibration.of(card)
    with draft_beside(models) as draft:
        write_saved_model(draft, after.whole, card["classes"], calibration)
        rehearsal.together(kept, added).write(draft)
        shutil.copy(version / "assets.extra" / WARM_UP, draft / "assets.extra")
        model_card.write_taught(draft, card)
        return publish(draft, models)


def _to_rehearse(new: Examples, seed: int) -> Rehearsal:
    """Returns some of the new views, a fifth of them held out, as a rehearsal set.

    They are drawn, since the views repeat the photos in their order, and steps of a fixed length
    would meet only a few of the photos.
    """
    chosen = np.random.default_rng(seed).permutation(len(new.labels))[:NEW_KEPT]
    held_out = np.arange(len(chosen)) % 5 == 0
    return rehearsal.packed(new.activations[chosen], new.labels[chosen], held_out)
