"""Trains a classifier in two stages: a head on the frozen backbone, then the top layers with it.

A run lives in a folder: `run.json` (what was asked and what came of it), `augmented.png` (64 views
as the network saw them), `log.csv` (a line per epoch), `classifier.weights.h5` (the averaged
weights after the best epoch) and `state.npz`, from which a run that was cut off goes on. `export`
makes a version of it, and another run can start from that version by `--weights`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import keras

from training import backbones, card, dataset
from training.dataset import Photo
from training.keeper import STATE, WEIGHTS, Keeper
from training.recipe import Recipe
from training.split import fingerprint, split
from training.views import Views, hard_views
from webapp.preprocessing import IMAGE_SIZE

RUN = "run.json"
LOG = "log.csv"


def classifier(recipe: Recipe, classes: Sequence[str]) -> keras.Model:
    """Returns the untrained classifier: uint8 [N,224,224,3] to logits, float32 [N,C].

    Global average pooling and one dense layer, so that the class activation map is exact.
    """
    backbone = backbones.build(recipe.backbone, recipe.weights)
    return _with_head(backbone, len(classes))


def load(run: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Returns the trained classifier of a run, and its `run.json`.

    Raises:
        FileNotFoundError: There is no finished epoch in `run`.
    """
    facts = json.loads((run / RUN).read_text(encoding="utf-8"))
    backbone = backbones.build(facts["recipe"]["backbone"], "none")
    model = _with_head(backbone, len(facts["classes"]))
    model.load_weights(run / WEIGHTS)
    return model, facts


def fit(
    photos: list[Photo], recipe: Recipe, run: Path, command: str, *, resume: bool = False
) -> None:
    """Trains on 80 % of the photos and leaves the run in the folder `run`.

    Args:
        photos: All photos; what is held out is decided here.
        recipe: How.
        run: The folder; an earlier run in it is replaced.
        command: What to write down as the command that did this.
        resume: Go on behind the last finished epoch of a run that was cut off.

    Raises:
        FileNotFoundError: There is no such epoch.
        ValueError: Too few photos or classes, a recipe that names no backbone or weights, or one
            that is not that of the run to go on with.
    """
    dataset.require_enough(photos)
    # ── What to learn from ────────────────────────────────────────────────────────────────────
    keras.utils.set_random_seed(recipe.seed)
    cv2.setNumThreads(1)
    classes = dataset.classes_of(photos)
    # First of all, since it may be refused, and an earlier run in the folder is then untouched.
    model = classifier(recipe, classes)
    training, held_out = split(photos, recipe.seed, recipe.held_out_source)
    facts = {
        "command": command,
        "recipe": asdict(recipe),
        "classes": classes,
        "photos": {"training": dataset.counts(training), "held_out": dataset.counts(held_out)},
        "sources": sorted({photo.source for photo in photos if photo.source}),
        "data_fingerprint": fingerprint(photos),
        "held_out_fingerprint": fingerprint(held_out),
        "weights_from": _earlier(recipe.weights),
    }
    if resume:
        _require_same(run, facts)
    readable, pictures = dataset.load(training)
    dataset.require_every_class(classes, readable)
    views = Views(readable, pictures, classes, recipe)
    epochs, steps = _epochs(recipe)
    keeper = Keeper(run, epochs, hard_views(held_out, classes, recipe.seed, 1), recipe.patience)

    # ── Stage one: the head alone ─────────────────────────────────────────────────────────────
    backbone = _backbone(model)
    if not resume:
        _begin(run, facts)
        views.contact_sheet().save(run / "augmented.png")
        backbone.trainable = False
        _compile(model, keras.optimizers.Adam(recipe.head_rate), recipe)
        model.fit(views.of(epochs * steps, max(1, recipe.head_views // recipe.batch)))

    # ── Stage two: the top layers with it ─────────────────────────────────────────────────────
    top_layers = recipe.top_layers or backbones.BACKBONES[recipe.backbone].top_layers
    backbones.unfreeze(backbone, top_layers)
    _compile(model, _falling_adamw(recipe, epochs * steps), recipe)
    if resume:
        keeper.resume(model)
    model.fit(
        views.of(keeper.next_epoch * steps, steps),
        epochs=epochs,
        initial_epoch=keeper.next_epoch,
        callbacks=[keeper, keras.callbacks.CSVLogger(run / LOG, append=resume)],
    )


def _begin(run: Path, facts: dict[str, Any]) -> None:
    """Opens the folder; what an earlier run left there would not be what run.json says."""
    run.mkdir(parents=True, exist_ok=True)
    for earlier in (WEIGHTS, STATE, LOG):
        (run / earlier).unlink(missing_ok=True)
    (run / RUN).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _require_same(run: Path, facts: dict[str, Any]) -> None:
    """Refuses to go on with another recipe or other photos than the run began with."""
    if not (run / RUN).is_file():
        raise FileNotFoundError(f"{run} holds no run to go on with; leave --resume out.")
    begun = json.loads((run / RUN).read_text(encoding="utf-8"))
    for name in ("recipe", "data_fingerprint"):
        if begun[name] != facts[name]:
            raise ValueError(
                f"The run in {run} began with another {name}: {begun[name]}; now {facts[name]}."
                f" Go on with it by the command that began it: {begun['command']}"
            )


def _earlier(weights: str) -> dict[str, Any] | None:
    """Returns the model card of the version that is built on, so that a version tells all of it."""
    if not card.path(Path(weights)).is_file():
        return None
    facts = card.read(Path(weights))
    kept = ("command", "recipe", "photos", "data_fingerprint", "weights_from")
    # The folder's name may soon be another version's.
    digest = hashlib.sha256((Path(weights) / "saved_model.pb").read_bytes()).hexdigest()
    return {
        "version": weights,
        "saved_model_sha256": digest,
        **{name: facts.get(name) for name in kept},
    }


def _with_head(backbone: keras.Model, classes: int) -> keras.Model:
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8", name="image")
    features = backbone(keras.layers.Rescaling(1 / 255, name="to_unit_range")(image))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    pooled = keras.layers.Dropout(0.2, name="dropout")(pooled)
    return keras.Model(image, keras.layers.Dense(classes, name="logits")(pooled))


def _backbone(model: keras.Model) -> keras.Model:
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def _compile(model: keras.Model, optimizer: keras.optimizers.Optimizer, recipe: Recipe) -> None:
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.smoothing),
        metrics=["accuracy"],
        jit_compile=False,
    )


def _epochs(recipe: Recipe) -> tuple[int, int]:
    """Returns (epochs, steps of each), an epoch being about 3,000 views."""
    steps = max(1, recipe.views // recipe.batch)
    epochs = max(1, round(recipe.views / 3_000))
    return epochs, max(1, steps // epochs)


def _falling_adamw(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    warm_up = steps // 20
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.rate / 20, steps - warm_up, warmup_target=recipe.rate, warmup_steps=warm_up
    )
    return keras.optimizers.AdamW(rate, weight_decay=0.02, global_clipnorm=1.0)
