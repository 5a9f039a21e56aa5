"""Teaches a version new photos, without those that it was trained on: `make teach`.

The layers behind the middle of the network learn views of the new photos, mixed with the rehearsal
set of the version. They do so twice from the same start. The first lesson leaves out a fifth of the
new photos, which then judge how well such a design is learnt; the second leaves out none, since of
twenty photos each one tells. What comes of it is calibrated anew, compared with the version class
by class, and published only where it lost no more than is allowed.
"""

import shutil
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from training.data import dataset
from training.data.dataset import Photo
from training.data.split import fingerprint, split
from training.evaluation import model_card
from training.evaluation.measures import Answers, measures
from training.export.calibration import Calibration, softmax
from training.export.signatures import write_saved_model
from training.export.version import WARM_UP, draft_beside, publish
from training.progress import say
from training.rehearsal import parts, rehearsal
from training.rehearsal.parts import Floats, Parts
from training.rehearsal.rehearsal import Rehearsal
from training.teaching import trust
from training.teaching.changes import (
    NEW,
    Judged,
    changes,
    facts,
    judged,
    require_kept,
    table,
)
from training.teaching.lessons import Before, Examples, Lessons, learn

VIEWS = 2_000
"""Views of the new photos to learn from, all photos together."""
JUDGED_VIEWS = 200
"""Views of those new photos that are held out."""
NEW_KEPT = 160
"""Of the views to learn from, those that the next version's rehearsal set has in it."""
LEAST_PHOTOS = 5
STEPS = 400
RATE = 5e-4


def teach(
    photos: list[Photo],
    version: Path,
    models: Path,
    command: str,
    lost_at_most: float,
    class_names: dict[str, Any] | None = None,
    steps: int = STEPS,
) -> Path:
    """Makes the next version of one and of new photos, and prints what was gained and lost.

    Args:
        photos: The new photos: of a new design of a class, or of a new class.
        version: The folder of the version that learns, e.g. `models/us_bills/1`.
        models: Where the next version goes.
        command: What was typed, for the model card.
        lost_at_most: The share of right answers that a class may lose, from 0 to 1.
        class_names: What classes are worth and how they are said, for the model card.
        steps: Batches to learn from.

    Returns:
        The folder of the next version.

    Raises:
        FileNotFoundError: The version has no model card or no rehearsal set.
        ValueError: Too few photos; a name of no class; or more was lost than allowed, and nothing
            is published.
    """
    card, kept = model_card.read(version), rehearsal.read(version)
    seed = card["recipe"]["seed"]
    keras.utils.set_random_seed(seed)
    cv2.setNumThreads(1)
    learnt, judges = split(photos, seed)
    classes = _all_classes(card["classes"], photos)
    named = model_card.with_names({**card, "classes": classes}, class_names or {})
    before = parts.of_version(version, card)
    told = Before(before, card["classes"], card["temperature"])

    def taught_by(examples: Examples, stage: str) -> Parts:
        network = parts.with_room(version, card, classes)
        learn(network, Lessons(told, examples, kept, classes, steps, seed), stage, RATE)
        return network

    say(f"stage 1 of 4: views of {len(learnt)} new photos to learn from, {len(judges)} to judge by")
    of_each = max(1, VIEWS // len(learnt))
    new, left_out = (_views(before, some, of_each, seed) for some in (learnt, judges))
    new_judges = _views(before, judges, max(1, JUDGED_VIEWS // len(judges)), seed)
    say("stage 2 of 4: the layers behind the middle learn without those to judge by")
    judged_by = taught_by(new, "stage 2").logits(new_judges.activations)
    say("stage 3 of 4: they learn all new photos")
    new = _both(new, left_out)
    after = taught_by(new, "stage 3")
    say("stage 4 of 4: calibration, comparison with the version before, export")
    both = _both(_examples(kept, kept.held_out), new_judges)
    logits = np.concatenate([after.logits(kept.activations(kept.held_out)), judged_by])
    old = Calibration.of(card)
    said_before = judged(before.logits(both.activations), card["classes"], old)
    # What it is to learn was not known, so nothing that was said to it is an example.
    is_old = np.arange(len(both.labels)) < kept.held_out.sum()
    example = Judged(said_before.said, said_before.sure & is_old)
    calibration = trust.calibrated(logits, both.labels, example, classes, old)
    names = np.concatenate([kept.labels[kept.held_out], [f"{NEW}, {n}" for n in new_judges.labels]])
    known = both.labels != rehearsal.NO_CLASS
    earlier = Judged(said_before.said[known], said_before.sure[known])
    now = judged(logits[known], classes, calibration)
    found = changes(names[known], both.labels[known], earlier, now)
    say(table(found))
    require_kept(found, lost_at_most)
    taught = {
        **named,
        **calibration._asdict(),
        "selection": trust.counted(logits, both.labels, classes, calibration)._asdict(),
        "measures": {
            "held_out": _measured(logits[known], both.labels[known], classes, calibration)
        },
        "taught": {
            "command": command,
            "version": version.name,
            "photos": dataset.counts(photos),
            "data_fingerprint": fingerprint(photos),
            "changes": facts(found),
        },
    }
    return _publish(after, taught, kept, new, version, models)


def _all_classes(known: list[str], photos: list[Photo]) -> list[str]:
    """Returns the classes of a version and of new photos, in the order of a training run.

    Raises:
        ValueError: A class has too few photos to learn from some and judge by others.
    """
    if few := {label: n for label, n in dataset.counts(photos).items() if n < LEAST_PHOTOS}:
        raise ValueError(
            f"Too few new photos: {few}. Expected at least {LEAST_PHOTOS} of each class that"
            " changes, better 20, each another picture."
        )
    return dataset.in_order({*known, *(photo.label for photo in photos)})


def _views(network: Parts, photos: list[Photo], of_each: int, seed: int) -> Examples:
    """Returns views of the photos as activations of the middle, which teaching does not change."""
    readable, views = rehearsal.views_of(photos * of_each, seed)
    return Examples(network.activations(views), np.array([photo.label for photo in readable]))


def _examples(kept: Rehearsal, chosen: NDArray[np.bool_]) -> Examples:
    return Examples(kept.activations(chosen), kept.labels[chosen])


def _both(old: Examples, new: Examples) -> Examples:
    return Examples(
        np.concatenate([old.activations, new.activations]),
        np.concatenate([old.labels, new.labels]),
    )


def _measured(
    logits: Floats, labels: NDArray[np.str_], classes: list[str], calibration: Calibration
) -> dict[str, Any]:
    """Returns the figures of held-out pictures, old and new, at the first look."""
    probabilities = softmax(logits / calibration.temperature)
    by_name = np.argsort(classes)
    answers = Answers(
        photos=[Photo(Path(), label, "") for label in labels.tolist()],
        said=[classes[place] for place in probabilities.argmax(1)],
        confidence=probabilities.max(1).astype(np.float32),
        accepted=judged(logits, classes, calibration).sure,
        probabilities=probabilities[:, by_name].astype(np.float32),
    )
    figures = measures(answers)
    del figures["risk_coverage"]
    return figures


def _publish(
    after: Parts,
    card: dict[str, Any],
    kept: Rehearsal,
    new: Examples,
    version: Path,
    models: Path,
) -> Path:
    """Writes the version, with a rehearsal set that has some of the new views in it."""
    every = max(1, len(new.labels) // NEW_KEPT)
    held_out = np.zeros(len(new.labels[::every]), bool)
    held_out[::5] = True
    added = rehearsal.packed(new.activations[::every], new.labels[::every], held_out)
    calibration = Calibration.of(card)
    with draft_beside(models) as draft:
        write_saved_model(draft, after.whole, card["classes"], calibration)
        rehearsal.together(kept, added).write(draft)
        shutil.copy(version / "assets.extra" / WARM_UP, draft / "assets.extra")
        model_card.write_taught(draft, card)
        return publish(draft, models)
