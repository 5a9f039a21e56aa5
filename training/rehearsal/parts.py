"""A classifier in two parts: layers that stay unchanged, and layers that are taught."""

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.fit import classifier
from training.network import backbones, frozen
from training.recipe import Recipe

Floats = NDArray[np.float32]

BATCH = 64


class Parts(NamedTuple):
    """A classifier and its two parts, which share its layers.

    Attributes:
        whole: Maps uint8 [N,224,224,3] to logits, float32 [N,C].
        bottom: Maps uint8 [N,224,224,3] to activations, float32 [N,h,w,D].
        top: Maps activations to logits; training it also changes `whole`.
    """

    whole: keras.Model
    bottom: keras.Model
    top: keras.Model

    def activations(self, pixels: NDArray[np.uint8]) -> Floats:
        """Returns the output of `bottom` for uint8 [N,224,224,3]."""
        run = tf.function(lambda batch: self.bottom(batch, training=False))
        parts = [run(pixels[i : i + BATCH]).numpy() for i in range(0, len(pixels), BATCH)]
        return np.concatenate(parts)

    def logits(self, activations: Floats) -> Floats:
        """Returns the output of `top` for activations, float32 [N,C]."""
        return np.asarray(self.top.predict(activations, batch_size=BATCH, verbose=0))


def of_version(version: Path, facts: dict[str, Any]) -> Parts:
    """Returns the classifier of the version in a folder, whose model card is `facts`.

    Raises:
        FileNotFoundError: There is no SavedModel.
        ValueError: The SavedModel does not hold the network that the model card names.
    """
    recipe = Recipe(backbone=facts["recipe"]["backbone"], weights=str(version))
    model = classifier(recipe, facts["classes"])
    frozen.load_layers([model.get_layer("logits")], version, "classifier")
    return divided(model, recipe.backbone)


def divided(model: keras.Model, backbone: str) -> Parts:
    """Divides a classifier that is built on the backbone of that name.

    The batch norms of the top keep their statistics, since a few photos would give other ones.
    """
    network = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    middle = network.get_layer(backbones.BACKBONES[backbone].taught_behind).output
    pixels = keras.Input(model.input.shape[1:], dtype="uint8")
    scaled = model.get_layer("to_unit_range")(pixels)
    bottom = keras.Model(pixels, keras.Model(network.input, middle)(scaled, training=False))
    activations = keras.Input(middle.shape[1:])
    features = keras.Model(middle, network.output)(activations, training=False)
    logits = features
    for name in ("pool", "dropout", "logits"):
        logits = model.get_layer(name)(logits)
    return Parts(model, bottom, keras.Model(activations, logits))


def with_room(version: Path, facts: dict[str, Any], classes: list[str]) -> Parts:
    """Returns `of_version` with classes added; the old classes keep their weights.

    Args:
        version: The folder of the version.
        facts: Its model card.
        classes: All classes, including the old ones.
    """
    parts = of_version(version, facts)
    if classes == facts["classes"]:
        return parts
    backbone = facts["recipe"]["backbone"]
    wider = classifier(Recipe(backbone=backbone, weights="none"), classes)
    for layer, known in zip(wider.layers, parts.whole.layers, strict=True):
        if layer.name != "logits":
            layer.set_weights(known.get_weights())
    kernel, bias = wider.get_layer("logits").get_weights()
    places = [classes.index(name) for name in facts["classes"]]
    kernel[:, places], bias[places] = parts.whole.get_layer("logits").get_weights()
    wider.get_layer("logits").set_weights([kernel, bias])
    return divided(wider, backbone)
