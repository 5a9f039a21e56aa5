"""Makes a version from a run of the counter: calibrated on held-out scenes, exported, published."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training import run_folder
from training.counting import finding, fit, reader, thresholds
from training.counting.detector.boxes import Boxes
from training.counting.evaluation import judging
from training.counting.evaluation.evaluate import names_of, of_scenes
from training.counting.graph.counter import Counter, frozen, write_saved_model
from training.counting.graph.trust import Reading, Trust, fitted, probability, signs
from training.counting.recipe import CountRecipe
from training.counting.scenes.mixture import random_scene
from training.counting.scenes.scene import Scene
from training.counting.scenes.stock import Stock, stock_of
from training.data.dataset import Photo
from training.data.split import held_out_of
from training.evaluation import model_card
from training.export.calibration import Selection, best_temperature
from training.export.version import draft_beside, publish, write_warm_up
from training.progress import say
from training.rehearsal.parts import Parts
from training.teaching.lessons import Examples

RISK = 0.01
"""The tolerated share of wrong lists among accepted ones."""
HARDEST_RISK = 0.01
"""The tolerated share of fans in hard light with an accepted wrong list. Few of their lists are
accepted, so that they would hardly count among all accepted lists."""
_BELIEVED = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
"""The candidates for the lowest probability at which a bill is counted."""
SCENES = 2_400
"""Scenes that a version is calibrated on; as many cut-outs decide the reader's temperature."""


def export(run: Path, photos: list[Photo], models: Path, number: int = SCENES) -> Path:
    """Makes the next version of the counter trained in `run`.

    Args:
        run: The folder of a finished run.
        photos: The photos of the run; scenes of the held-out part calibrate the version.
        models: The folder of all versions, e.g. `models/us_bills_count`.
        number: How many scenes to calibrate on.

    Returns:
        The folder of the new version.

    Raises:
        FileNotFoundError: `run` is not a finished run.
        ValueError: The photos are not those of the run.
    """
    detector, parts, facts = fit.load(run)
    seed, classes = facts["recipe"]["seed"], facts["classes"]
    marked = fit.marked_by(run_folder.recipe_of(facts, CountRecipe), photos)
    judges = stock_of(held_out_of(facts, photos), *marked)
    cut = reader.examples(
        judges, parts, finding.finder(detector), number, np.random.default_rng((seed, 3))
    )
    temperature = _temperature(parts, cut, classes)
    say(f"temperature of the reader: {temperature:.2f}")
    untrusted = Trust(temperature, 0.0, [], 0.0)
    counter = Counter(frozen(detector), frozen(parts.whole), classes, untrusted)
    scenes, hardest = _scenes(judges, seed, number)
    trust, selection = _trusted(counter, scenes, hardest, untrusted)
    with draft_beside(models) as draft:
        write_saved_model(draft, detector, parts.whole, classes, trust)
        warm_up = [("serving_default", "image", scenes[0].pixels[None])]
        write_warm_up(draft, models.name, warm_up, batches=(1,))
        chosen = {
            "risk": RISK,
            "risk_of_hardest": HARDEST_RISK,
            "selection": selection._asdict(),
            "measures": _measured(draft, judges, number // 12),
        }
        model_card.write_counter(draft, {**facts, **trust._asdict(), **chosen}, photos)
        return publish(draft, models)


def _temperature(parts: Parts, cut: Examples, classes: list[str]) -> float:
    labels = np.array([classes.index(name) for name in cut.labels.tolist()])
    return best_temperature(parts.logits(cut.activations), labels)


def _scenes(judges: Stock, seed: int, number: int) -> tuple[list[Scene], NDArray[np.bool_]]:
    """Returns scenes, and which of them are the hardest: fans in hard light, a quarter of all.

    A half has the kinds of the evaluation, plain and hard; the rest is like the training scenes.
    """
    rng = np.random.default_rng((seed, 4))
    fans = list(judging.scenes(judging.KINDS[judging.FANS], judges, seed, number // 4, hard=True))
    kinds = judging.kinds_of(judges).values()
    each = number // (4 * len(kinds))
    scenes = fans + [
        made
        for kind in kinds
        for hard in (False, True)
        for made in judging.scenes(kind, judges, seed, each, hard=hard)
    ]
    scenes += [random_scene(judges, rng) for _ in range(number - len(scenes))]
    return scenes, np.arange(number) < len(fans)


def _trusted(
    counter: Counter, scenes: list[Scene], hardest: NDArray[np.bool_], untrusted: Trust
) -> tuple[Trust, Selection]:
    """Calibrates the trust in lists: half of the scenes set the threshold, the other half the rest.

    A list counts as right if its bills are exactly those of the scene.
    """
    reading = _read(counter, scenes)
    there = [sorted(bill.label for bill in made.bills) for made in scenes]

    def right(believed: float) -> NDArray[np.bool_]:
        found = names_of(counter.listed(reading, believed))
        return np.array([sorted(f) == t for f, t in zip(found, there, strict=True)])

    believed = max(_BELIEVED, key=lambda least: right(least)[::2].sum())
    say(f"a bill is counted from a probability of {believed}")
    told, exact = signs(reading, believed), right(believed)
    weights = fitted(told.numpy()[::2].astype(np.float64), exact[::2])
    sure = probability(told[1::2], weights).numpy()
    selection = thresholds.strictest(sure, exact[1::2], hardest[1::2], RISK, HARDEST_RISK)
    trust = untrusted._replace(believed=believed, weights=weights, threshold=selection.threshold)
    return trust, selection


def _read(counter: Counter, scenes: list[Scene]) -> Reading:
    look = tf.function(counter.look)
    parts = []
    for start in range(0, len(scenes), judging.BATCH):
        some = scenes[start : start + judging.BATCH]
        parts.append(look(tf.constant(np.stack([made.pixels for made in some]))))
    joined = [tf.concat(values, 0) for values in zip(*map(tf.nest.flatten, parts), strict=True)]
    boxes, rest = Boxes(*joined[:-2]), joined[-2:]
    return Reading(boxes, *rest)


def _measured(version: Path, judges: Stock, number: int) -> dict[str, Any]:
    return {"held_out_scenes": of_scenes(version, judges, number)}
