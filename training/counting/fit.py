"""Trains the counter in two stages: a detector that finds bills, and a reader of its cut-outs.

A run is a folder: `run.json`, `scenes.png` (36 scenes with their boxes), and `detector/` and
`reader/` with the weights. `--resume` continues after the detector's last finished epoch.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from training import run_folder
from training.checkpoint import Checkpoint, is_finished
from training.counting import finding, reader
from training.counting.detector import network
from training.counting.detector.batches import HeldOutScenes, Scenes
from training.counting.recipe import CountRecipe
from training.counting.scenes.mixture import contact_sheet
from training.counting.scenes.stock import Stock, stock_of
from training.data import checks, corners, dataset
from training.data.dataset import Photo
from training.data.drafts import replacing
from training.data.split import fingerprint, split
from training.evaluation import model_card
from training.progress import Progress, say
from training.rehearsal import parts, rehearsal
from training.rehearsal.parts import Parts
from training.run_folder import LOG, STATE, WEIGHTS
from training.schedule import warmed_cosine
from training.teaching.lessons import BATCH, Before, Lessons, learn

DETECTOR, READER, SCENES = "detector", "reader", "scenes.png"
_EPOCH = 2_000
"""Scenes per epoch."""
_PASSES = 4
"""How often the reader sees each cut-out."""
_NEW_SHARE = 0.6
_MOMENTUM = 0.995


def fit(
    photos: list[Photo], recipe: CountRecipe, run: Path, command: str, *, resume: bool = False
) -> None:
    """Trains on scenes of 80 % of the photos and writes the run into the folder `run`.

    Args:
        photos: All photos; this function splits off those to hold out, as for the classifier.
        recipe: The settings.
        run: The folder; an earlier run in it is replaced.
        command: The command line, for `run.json` and the model card.
        resume: Whether to continue the run after its last finished epoch.

    Raises:
        FileNotFoundError: There is no run to continue, or no version with a rehearsal set.
        ValueError: Too few flat photos, classes that the version of `--weights` or the run of
            `--start` does not know, or the run to continue has another recipe or other photos.
    """
    keras.utils.set_random_seed(recipe.seed)
    cv2.setNumThreads(1)
    if recipe.start and not resume and Path(recipe.start).resolve() == run.resolve():
        raise ValueError(f"--start and --run are both {run}. Expected two folders.")
    detector_from = _history_of(recipe.start)
    # Now, since the reader, which needs all that, is trained hours later, after the detector.
    _require_classes(photos, recipe)
    detector = _trained(Path(recipe.start)) if recipe.start else network.build(recipe.weights)
    files = marked_by(recipe, photos)
    say(f"reading {len(photos):,} photos: near-duplicates, what is held out, flat bills")
    training, held_out = split(photos, recipe.seed)
    stock, judges = (stock_of(part, *files) for part in (training, held_out))
    if resume:
        run_folder.require_same(run_folder.read(run), recipe, fingerprint(photos))
    else:
        facts = _facts(command, recipe, photos, held_out) | {"detector_from": detector_from}
        for folder in (run, run / DETECTOR, run / READER):
            run_folder.begin(folder, facts)
        contact_sheet(stock, recipe.seed).save(run / SCENES)
    _fit_detector(detector, stock, judges, recipe, run / DETECTOR)
    _fit_reader(stock, recipe, finding.finder(_trained(run)), run / READER)


def _require_classes(photos: list[Photo], recipe: CountRecipe) -> None:
    known = model_card.read(Path(recipe.weights))["classes"]
    rehearsal.read(Path(recipe.weights))
    checks.require_known(photos, known, recipe.weights)
    begun = run_folder.read(Path(recipe.start))["classes"] if recipe.start else known
    if begun != known:
        raise ValueError(f"{recipe.start} knows {begun}, {recipe.weights} {known}. Expected equal.")


def load(run: Path) -> tuple[keras.Model, Parts, dict[str, Any]]:
    """Returns the detector and the reader of a run, and its facts.

    Raises:
        FileNotFoundError: There is no run, or it is not finished.
    """
    facts = run_folder.read(run)
    weights = facts["recipe"]["weights"]
    facts["weights_sha256"] = run_folder.weights_digest(run / DETECTOR)
    facts["reader_sha256"] = run_folder.weights_digest(run / READER)
    detector = _trained(run)
    found = parts.of_version(Path(weights), model_card.read(Path(weights)))
    found.whole.load_weights(run / READER / WEIGHTS)
    return detector, found, facts


def marked_by(recipe: CountRecipe, photos: list[Photo]) -> list[Path | None]:
    """Returns the files of a recipe that mark bills in photos, in the order of `stock_of`.

    Raises:
        ValueError: A file marks a photo that is not among `photos`; or see `corners.read`.
    """
    return [corners.checked(file, photos) for file in (recipe.corners, recipe.single)]


def _trained(run: Path) -> keras.Model:
    """Returns the detector of a run that has finished an epoch."""
    detector = network.build("none")
    detector.load_weights(run / DETECTOR / WEIGHTS)
    return detector


def _fit_detector(
    detector: keras.Model, stock: Stock, judges: Stock, recipe: CountRecipe, run: Path
) -> None:
    steps = max(1, recipe.scenes // recipe.batch)
    epochs = max(1, round(recipe.scenes / _EPOCH))
    steps = max(1, steps // epochs)
    if is_finished(run, epochs, recipe.patience):
        return
    held_out = HeldOutScenes.of(judges, recipe.seed)
    checkpoint = Checkpoint(run, epochs, held_out, recipe.patience, _MOMENTUM)
    _compile(detector, recipe, epochs * steps)
    begun = (run / STATE).is_file()
    if begun:
        checkpoint.resume(detector)
    else:
        checkpoint.save_start(detector)
    say(f"stage 1 of 2: finding bills, {epochs} epochs of {steps} steps")
    first = checkpoint.next_epoch
    detector.fit(
        Scenes(stock, recipe.batch, recipe.seed, first * steps, steps),
        epochs=epochs,
        initial_epoch=first,
        verbose=0,
        shuffle=False,  # The scenes are random; a resumed run could not repeat another order.
        callbacks=[
            Progress("stage 1", epochs, steps, estimates=True),
            checkpoint,
            keras.callbacks.CSVLogger(run / LOG, append=begun),
        ],
    )


def _compile(detector: keras.Model, recipe: CountRecipe, steps: int) -> None:
    rate = warmed_cosine(recipe.rate, steps)
    detector.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=5.0),
        network.loss,
        jit_compile=False,
    )


def _fit_reader(stock: Stock, recipe: CountRecipe, find: finding.Finder, run: Path) -> None:
    if (run / WEIGHTS).is_file():
        return
    version = Path(recipe.weights)
    card, kept = model_card.read(version), rehearsal.read(version)
    before, after = (parts.of_version(version, card) for _ in range(2))
    if recipe.start:
        after.whole.load_weights(Path(recipe.start) / READER / WEIGHTS)
    say("stage 2 of 2: reading what is cut out")
    rng = np.random.default_rng((recipe.seed, 2))
    new = reader.examples(stock, after, find, recipe.cuttings, rng)
    steps = max(1, round(_PASSES * len(new.labels) / (BATCH * _NEW_SHARE)))
    told = Before(before, card["classes"], card["temperature"])
    lessons = Lessons(told, new, kept, card["classes"], steps, recipe.seed, _NEW_SHARE)
    learn(after, lessons, "stage 2", recipe.reader_rate)
    with replacing(run / WEIGHTS) as draft:  # Half a file would count as a finished stage.
        after.whole.save_weights(draft)


def _facts(
    command: str, recipe: CountRecipe, photos: list[Photo], held_out: list[Photo]
) -> dict[str, Any]:
    """Returns the content of `run.json`."""
    card = model_card.read(Path(recipe.weights))
    return {
        "kind": "counter",
        "command": command,
        "recipe": asdict(recipe),
        "classes": card["classes"],
        "photos": dataset.counts(photos),
        "data_fingerprint": fingerprint(photos),
        "held_out_fingerprint": fingerprint(held_out),
        "weights_from": run_folder.history_of(recipe.weights),
    }


def _history_of(start: str) -> dict[str, Any] | None:
    """Returns the origin of the detector and the reader that a run starts from."""
    if not start:
        return None
    digests = {
        "weights_sha256": run_folder.weights_digest(Path(start) / DETECTOR),
        "reader_sha256": run_folder.weights_digest(Path(start) / READER),
    }
    begun = run_folder.read(Path(start))
    return {name: begun.get(name) for name in ("command", "recipe", "detector_from")} | digests
