"""Trains a classifier in two stages: a head on the frozen backbone, then the top layers with it.

A run lives in a folder: `run.json` (what was asked and what came of it), `augmented.png` (64 views
as the network saw them), `log.csv` (a line per epoch), `classifier.weights.h5` (the averaged
weights after the last finished epoch) and, once it is done, `backbone.weights.h5`, which another
run can start from by `--weights`. `export` makes a version of it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training import augment, backbones, dataset
from training.augment import Pixels
from training.dataset import Photo
from training.recipe import Recipe
from webapp.preprocessing import IMAGE_SIZE

WEIGHTS = "classifier.weights.h5"
BACKBONE_WEIGHTS = "backbone.weights.h5"
RUN = "run.json"


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


def fit(photos: list[Photo], recipe: Recipe, run: Path, command: str) -> None:
    """Trains on 80 % of the photos and leaves the run in the folder `run`.

    Raises:
        ValueError: Too few photos or classes, or a recipe that names no backbone or weights.
    """
    dataset.require_enough(photos)
    # ── What to learn from ────────────────────────────────────────────────────────────────────
    keras.utils.set_random_seed(recipe.seed)
    cv2.setNumThreads(1)
    classes = dataset.classes_of(photos)
    # First of all, since it may be refused, and an earlier run in the folder is then untouched.
    model = classifier(recipe, classes)
    training, held_out = dataset.split(photos, recipe.seed)
    data_fingerprint = dataset.fingerprint(photos)
    training, pictures = dataset.load(training)
    views = Views(training, pictures, classes, recipe)
    judged, judged_pixels = dataset.tensors(held_out)

    # ── What it was ───────────────────────────────────────────────────────────────────────────
    run.mkdir(parents=True, exist_ok=True)
    # Those of an earlier run here would not be what run.json says.
    for earlier in (WEIGHTS, BACKBONE_WEIGHTS):
        (run / earlier).unlink(missing_ok=True)
    facts = {
        "command": command,
        "recipe": asdict(recipe),
        "classes": classes,
        "photos": {"training": dataset.counts(training), "held_out": dataset.counts(judged)},
        "sources": sorted({photo.source for photo in photos if photo.source}),
        "data_fingerprint": data_fingerprint,
        "held_out_fingerprint": dataset.fingerprint(held_out),
        "weights_from": _earlier_run(recipe.weights),
    }
    (run / RUN).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    views.contact_sheet().save(run / "augmented.png")

    # ── Stage one: the head alone ─────────────────────────────────────────────────────────────
    backbone = _backbone(model)
    backbone.trainable = False
    _compile(model, keras.optimizers.Adam(recipe.head_rate), recipe)
    if recipe.head_views:
        model.fit(views.of(recipe.head_views))

    # ── Stage two: the top layers with it ─────────────────────────────────────────────────────
    backbones.unfreeze(backbone, backbones.BACKBONES[recipe.backbone].top_layers)
    epochs, steps = _epochs(recipe)
    _compile(model, _falling_adamw(recipe, epochs * steps), recipe)
    model.fit(
        views.of(steps * recipe.batch),
        epochs=epochs,
        validation_data=(judged_pixels, one_hot(judged, classes)),
        callbacks=[
            keras.callbacks.CSVLogger(run / "log.csv"),
            # Validation and the saved weights are those of the running average.
            keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
            keras.callbacks.ModelCheckpoint(run / WEIGHTS, save_weights_only=True),
        ],
    )
    backbone.save_weights(run / BACKBONE_WEIGHTS)


def _earlier_run(weights: str) -> dict[str, Any] | None:
    """Returns the `run.json` beside a weights file, so that a version tells its whole history."""
    facts = Path(weights).parent / RUN
    if weights in ("imagenet", "none") or not facts.is_file():
        return None
    return {"file": weights, **json.loads(facts.read_text(encoding="utf-8"))}


class Views(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is untyped
    """Batches of random views. The same recipe gives the same batches, whatever the timing."""

    def __init__(
        self, photos: list[Photo], pictures: list[Pixels], classes: Sequence[str], recipe: Recipe
    ) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self._pictures = pictures
        self._labels = one_hot(photos, classes)
        self._odds = dataset.sampling_weights(photos, {dataset.OTHER: recipe.other_share})
        self._backgrounds = dataset.backgrounds(photos, pictures)
        self._recipe = recipe
        self._first_step = 0
        self._steps = 1

    def of(self, views: int) -> "Views":
        """Makes an epoch last `views` views, and goes on behind those already given."""
        self._first_step += self._steps
        self._steps = max(1, views // self._recipe.batch)
        return self

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Pixels, NDArray[np.float32]]:
        rng = np.random.default_rng((self._recipe.seed, self._first_step + step))
        chosen = rng.choice(len(self._pictures), self._recipe.batch, p=self._odds)
        pixels = np.stack([self._view(index, rng) for index in chosen])
        return pixels, self._labels[chosen]

    def on_epoch_end(self) -> None:
        """Goes on to views that were not seen yet."""
        self._first_step += self._steps

    def contact_sheet(self, side: int = 8) -> Image.Image:
        """Returns `side` x `side` views in one picture."""
        rng = np.random.default_rng(self._recipe.seed)
        chosen = rng.choice(len(self._pictures), side * side, p=self._odds)
        tiles = [self._view(index, rng) for index in chosen]
        rows = [np.hstack(tiles[i : i + side]) for i in range(0, len(tiles), side)]
        return Image.fromarray(np.vstack(rows))

    def _view(self, index: int, rng: np.random.Generator) -> Pixels:
        background = self._backgrounds[rng.integers(len(self._backgrounds))]
        return augment.view(self._pictures[index], background, rng)


def one_hot(photos: list[Photo], classes: Sequence[str]) -> NDArray[np.float32]:
    """Returns the photos' classes, float32 [N,C]."""
    return np.eye(len(classes), dtype=np.float32)[[classes.index(photo.label) for photo in photos]]


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
    return keras.optimizers.AdamW(
        rate, weight_decay=0.02, global_clipnorm=1.0, use_ema=True, ema_momentum=0.995
    )
