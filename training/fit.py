"""Trains a classifier in two stages: a head on the frozen backbone, then backbone layers too.

A run is a folder: `run.json` (recipe, photos, command), `augmented.png` (64 views as the network
sees them), `log.csv` (a line per epoch), `classifier.weights.h5` (the averaged weights after the
best epoch) and `state.npz`, from which `--resume` continues. `export` makes a version from a run,
and `--weights` starts another run from that version.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import keras

from training import run_folder
from training.augmentation.views import Views, weighted_hard_views
from training.checkpoint import Checkpoint, HeldOut, is_finished
from training.data import checks, dataset
from training.data.dataset import Photo
from training.data.split import Groups, contradictions, fingerprint, near_duplicates, split
from training.network import backbones
from training.progress import Progress, say
from training.recipe import Recipe
from training.run_folder import LOG, STATE, VIEWS, WEIGHTS
from training.schedule import warmed_cosine
from webapp.imaging.preprocessing import IMAGE_SIZE

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def classifier(recipe: Recipe, classes: Sequence[str]) -> keras.Model:
    """Returns the untrained classifier: uint8 [N,224,224,3] to logits, float32 [N,C].

    The head is global average pooling and one dense layer, so that the class activation map is
    exact. The weights are float32 in every precision.

    Raises:
        ValueError: The recipe names an unknown backbone, weights or precision.
    """
    if recipe.precision not in PRECISIONS:
        raise ValueError(
            f"Unknown precision {recipe.precision!r}. Expected one of {', '.join(PRECISIONS)}."
        )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        return _with_head(backbones.build(recipe.backbone, recipe.weights), len(classes))
    finally:
        keras.config.set_dtype_policy(before)


def load(run: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Returns the trained classifier of a run, and its facts: `run.json` and the weights' digest.

    Raises:
        FileNotFoundError: There is no run, or no finished epoch.
    """
    facts = run_folder.read(run)
    facts["weights_sha256"] = run_folder.weights_digest(run)
    backbone = backbones.build(facts["recipe"]["backbone"], "none")
    model = _with_head(backbone, len(facts["classes"]))
    model.load_weights(run / WEIGHTS)
    return model, facts


def fit(
    photos: list[Photo],
    recipe: Recipe,
    run: Path,
    command: str,
    *,
    resume: bool = False,
    tensorboard: Path | None = None,
) -> None:
    """Trains on 80 % of the photos and writes the run into the folder `run`.

    Args:
        photos: All photos; this function splits off those to hold out.
        recipe: The settings.
        run: The folder; an earlier run in it is replaced.
        command: The command line, for `run.json` and the model card.
        resume: Whether to continue the run after its last finished epoch, or after stage one. A run
            that has not finished stage one starts over; a finished run is left unchanged.
        tensorboard: A folder for TensorBoard's logs of stage two; None writes no logs.

    Raises:
        FileNotFoundError: There is no run to continue.
        ValueError: Too few photos or classes, an unknown backbone or weights, or a recipe or photos
            that differ from those of the run to continue.
    """
    checks.require_enough(photos)
    epochs, steps = _epochs(recipe)
    if resume:
        run_folder.require_same(run_folder.read(run), recipe, fingerprint(photos))
        if is_finished(run, epochs, recipe.patience):
            say(f"The run in {run} is finished: nothing is left to train.")
            return
    # ── The network ───────────────────────────────────────────────────────────────────────────
    keras.utils.set_random_seed(recipe.seed)
    cv2.setNumThreads(1)
    classes = dataset.classes_of(photos)
    # Before the photos are read, which takes minutes, so that an invalid recipe fails early.
    model = classifier(recipe, classes)

    # ── The photos ────────────────────────────────────────────────────────────────────────────
    say(f"reading {len(photos):,} photos: near-duplicates, what is held out, views")
    groups = near_duplicates(photos)
    _warn_of_contradictions(groups)
    training, held_out = split(photos, recipe.seed, recipe.held_out_source, groups=groups)
    readable, pictures = dataset.load(training)
    checks.require_every_class(classes, readable)
    views = Views(readable, pictures, classes, recipe)
    evaluated = HeldOut(*weighted_hard_views(held_out, classes, recipe.seed, each=1))
    _warn_of_classes_not_held_out(classes, held_out)
    _warn_of_another_split(recipe)
    checkpoint = Checkpoint(run, epochs, evaluated, recipe.patience)

    # ── Stage one: the head alone ─────────────────────────────────────────────────────────────
    begun = resume and (run / STATE).is_file()
    if not begun:
        run_folder.begin(run, _facts(command, recipe, classes, training, held_out))
        views.contact_sheet().save(run / VIEWS)
        _train_head(model, views, recipe, first_step=epochs * steps)

    # ── Stage two: backbone layers too ────────────────────────────────────────────────────────
    top_layers = recipe.top_layers or backbones.BACKBONES[recipe.backbone].top_layers
    backbones.unfreeze(_backbone(model), top_layers)
    rate = warmed_cosine(recipe.rate, epochs * steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.02, global_clipnorm=1.0)
    _compile(model, optimizer, recipe)
    if begun:
        checkpoint.resume(model)
    else:
        checkpoint.save_start(model)
    after = f"epoch {checkpoint.next_epoch}" if checkpoint.next_epoch else "stage 1"
    say(
        f"stage 2 of 2: the top layers too, {epochs} epochs of {steps} steps"
        + (f", continued after {after}" if begun else "")
    )
    logs = [keras.callbacks.TensorBoard(tensorboard)] if tensorboard else []
    model.fit(
        views.of(checkpoint.next_epoch * steps, steps),
        epochs=epochs,
        initial_epoch=checkpoint.next_epoch,
        verbose=0,
        shuffle=False,  # The views are random; a resumed run could not repeat another order.
        callbacks=[
            Progress("stage 2", epochs, steps, estimates=True),
            checkpoint,
            keras.callbacks.CSVLogger(run / LOG, append=begun),
            *logs,
        ],
    )


def _facts(
    command: str,
    recipe: Recipe,
    classes: list[str],
    training: list[Photo],
    held_out: list[Photo],
) -> dict[str, Any]:
    """Returns the content of `run.json`."""
    photos = training + held_out
    return {
        "command": command,
        "recipe": asdict(recipe),
        "classes": classes,
        "photos": {"training": dataset.counts(training), "held_out": dataset.counts(held_out)},
        "sources": sorted({photo.source for photo in photos if photo.source}),
        "data_fingerprint": fingerprint(photos),
        "held_out_fingerprint": fingerprint(held_out),
        "weights_from": run_folder.history_of(recipe.weights),
    }


def _train_head(model: keras.Model, views: Views, recipe: Recipe, first_step: int) -> None:
    """Trains the last layer on the views from `first_step` on, none of which stage two uses."""
    steps = max(1, recipe.head_views // recipe.batch)
    say(f"stage 1 of 2: the head alone, {steps} steps")
    _backbone(model).trainable = False
    _compile(model, keras.optimizers.Adam(recipe.head_rate), recipe)
    shown = Progress("stage 1", 1, steps, estimates=False)
    model.fit(views.of(first_step, steps), verbose=0, callbacks=[shown])


def _warn_of_contradictions(groups: Groups) -> None:
    if number := len(contradictions(groups)):
        say(
            f"same picture in more than one class: {number} times; `python -m training inspect`"
            " names the files."
        )


def _warn_of_classes_not_held_out(classes: Sequence[str], held_out: list[Photo]) -> None:
    if missing := sorted(set(classes) - {photo.label for photo in held_out}):
        say(
            f"No photo of {', '.join(missing)} is held out: nothing tells how well the model knows"
            " it."
        )


def _warn_of_another_split(recipe: Recipe) -> None:
    earlier = (run_folder.history_of(recipe.weights) or {}).get("recipe") or {}
    other = [
        f"--{name.replace('_', '-')} {earlier[name]!r}"
        for name in ("seed", "held_out_source")
        if name in earlier and earlier[name] != getattr(recipe, name)
    ]
    if other:
        say(
            f"{recipe.weights} was trained with {' and '.join(other)}: it may have learnt photos"
            " that are held out now, which then tell too much."
        )


def _with_head(backbone: keras.Model, classes: int) -> keras.Model:
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8", name="image")
    features = backbone(keras.layers.Rescaling(1 / 255, name="to_unit_range")(image))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    pooled = keras.layers.Dropout(0.2, name="dropout")(pooled)
    # float32 even if the other layers are in half precision, because the loss needs it.
    return keras.Model(image, keras.layers.Dense(classes, name="logits", dtype="float32")(pooled))


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
    """Returns (epochs, steps per epoch); an epoch is about 3,000 views."""
    steps = max(1, recipe.views // recipe.batch)
    epochs = max(1, round(recipe.views / 3_000))
    return epochs, max(1, steps // epochs)
