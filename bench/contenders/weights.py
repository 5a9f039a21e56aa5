"""Writes a version's network in the formats of other engines.

`python -m bench.contenders.weights VERSION FOLDER` writes `classifier.keras`, `classifier.onnx`
(OpenVINO reads it too) and `classifier.tflite`: uint8 [1,224,224,3] to logits, float32 [1,C]; the
Keras model takes any batch size. All have the weights of the version. They lack the steps after the
logits (calibration, the second look, names), so that all engines do the same work.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import tensorflow as tf

from training.evaluation import model_card
from training.export.convert import Graph, write_litert, write_onnx
from training.rehearsal import parts


def classifier(version: Path) -> keras.Model:
    """Returns the network of a version, uint8 [N,224,224,3] to logits, float32 [N,C]."""
    return parts.of_version(version, model_card.read(version)).whole


def main(version: Path, folder: Path) -> None:
    """Writes the three files."""
    model = classifier(version)
    model.save(folder / "classifier.keras")
    one = tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8, name="image")
    graph = Graph(lambda image: {"logits": model(image, training=False)}, one)
    write_onnx(graph, folder / "classifier.onnx")
    write_litert(graph, folder / "classifier.tflite")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
