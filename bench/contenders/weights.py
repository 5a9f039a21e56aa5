"""A version's network in the forms that others run.

`python -m bench.contenders.weights VERSION FOLDER` writes `classifier.keras`, `classifier.onnx`
(OpenVINO reads it too) and `classifier.tflite`: uint8 [1,224,224,3] to logits, float32 [1,C]; the
Keras model takes any number. All have the weights of the version; what its graph does behind the
logits (calibration, the second look, names) they lack.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from training import fit
from training.evaluation import model_card
from training.network import backbones, frozen

OPSET = 18


def classifier(version: Path) -> keras.Model:
    """Returns the network of a version, uint8 [N,224,224,3] to logits, float32 [N,C]."""
    facts = model_card.read(version)
    backbone = backbones.build(facts["recipe"]["backbone"], str(version))
    model = fit._with_head(backbone, len(facts["classes"]))
    head = frozen._constants(version / "saved_model.pb")["logits"].values()
    bias, kernel = sorted(head, key=np.ndim)
    model.get_layer("logits").set_weights([kernel, bias])
    return model


def main(version: Path, folder: Path) -> None:
    """Writes the three files."""
    import tf2onnx

    model = classifier(version)
    model.save(folder / "classifier.keras")
    one = tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8, name="image")
    run = tf.function(lambda image: model(image, training=False), input_signature=[one])
    tf2onnx.convert.from_function(
        run, [one], opset=OPSET, output_path=str(folder / "classifier.onnx")
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()], run)
    (folder / "classifier.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
