"""Writes a version in the formats of other engines: ONNX, and LiteRT (once TensorFlow Lite).

The file maps uint8 [N,224,224,3] RGB to the same calibrated answers as the version:

    probabilities  float32 [N,C], in the order of the classes in the JSON file next to it
    accepted       bool [N], false where the model is not sure

Features that these formats do not support or need are left out; `LEFT_OUT` and the JSON list them.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from training.evaluation import model_card
from training.export.calibration import Calibration
from training.export.second_look import after_two_looks
from training.export.signatures import IMAGE, disk_errors
from training.rehearsal import parts

OPSET = 18
"""The version of the ONNX operator set, of December 2022."""
SIGNATURE = "serving_default"
"""The signature of a LiteRT file, which names its inputs and outputs."""
SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}
LEFT_OUT = (
    "decoding a photo, turning it upright and shrinking it to 224 x 224"
    " (webapp/imaging/preprocessing.py does it for the front end)",
    "the heat map of the signature `explain`, and the signature `serve_bytes`",
    "the check of the input's shape",
    "class names among the outputs: the JSON file has them",
)
ONE_LOOK = "the second look at pictures that the first one leaves unsure"

Outputs = dict[str, tf.Tensor]


class Graph:
    """A function of pictures, to be written to a file."""

    def __init__(
        self, function: Callable[[tf.Tensor], Outputs], image: tf.TensorSpec = IMAGE
    ) -> None:
        """Wraps `function` as a graph.

        Args:
            function: Maps `image` to the outputs by name.
            image: The shape and dtype of the input.
        """
        self.image = image
        self.run = tf.function(function, input_signature=[image])


def convert(version: Path, to: str, file: Path, *, second_look: bool = True) -> dict[str, Any]:
    """Converts a version to `file`, and writes a JSON file that describes it next to it.

    Args:
        version: The folder of a version, e.g. `models/us_bills/1`.
        to: One of `SUFFIXES`.
        file: The file to write; an existing file is replaced.
        second_look: Whether all pictures get a second look, if the version has a second look. It
            doubles the time.

    Returns:
        The content of the JSON file.

    Raises:
        FileNotFoundError: `version` has no model card or no graph.
        ValueError: It is a version of the counter, its graph does not fit its backbone, or a
            package is missing.
    """
    card = model_card.read_classifier(version)
    calibration = Calibration.of(card)
    if not second_look:
        calibration = calibration._replace(second_look_below=0.0)
    graph = answering(parts.of_version(version, card).whole, card["classes"], calibration)
    about = _about(version, card, calibration)
    file.parent.mkdir(parents=True, exist_ok=True)
    if to == "onnx":
        write_onnx(graph, file, {name: json.dumps(value) for name, value in about.items()})
    else:
        write_litert(graph, file)
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    described_in(file).write_text(text, encoding="utf-8")
    return about


def described_in(file: Path) -> Path:
    """Returns the JSON file of a converted version: each format has its own."""
    return file.with_name(f"{file.name}.json")


def answering(network: keras.Model, classes: list[str], calibration: Calibration) -> Graph:
    """Wraps a network that returns logits into a graph that returns calibrated answers."""
    temperature, below = calibration.temperature, calibration.second_look_below
    thresholds = calibration.thresholds(classes)  # an array becomes a part of the graph

    def logits(image: tf.Tensor) -> tf.Tensor:
        return network(image, training=False)

    def answer(image: tf.Tensor) -> Outputs:
        looks = after_two_looks(logits, image, temperature, below) if below else logits(image)
        probabilities = tf.nn.softmax(looks / temperature)
        needed = tf.gather(thresholds, tf.argmax(probabilities, axis=1))
        accepted = tf.reduce_max(probabilities, axis=1) >= needed
        return {"probabilities": probabilities, "accepted": accepted}

    return Graph(answer)


def write_onnx(graph: Graph, file: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes an ONNX file.

    Raises:
        ValueError: tf2onnx is not installed.
    """
    try:
        import tf2onnx
    except ModuleNotFoundError as error:
        raise ValueError(
            "ONNX needs the package tf2onnx, which is not installed. Expected what"
            " `make .venv/.convert` installs."
        ) from error
    model, _ = tf2onnx.convert.from_function(graph.run, [graph.image], opset=OPSET)
    for name, value in (metadata or {}).items():
        model.metadata_props.add(key=name, value=value)
    file.write_bytes(model.SerializeToString())


def write_litert(graph: Graph, file: Path) -> None:
    """Writes a LiteRT file, with its inputs and outputs by name under `SIGNATURE`."""
    # Weights as constants: as variables they would be read before anything has set them.
    concrete = graph.run.get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete)
    # The frozen function returns a list, in the order in which TensorFlow flattens a dictionary.
    names = sorted(concrete.structured_outputs)

    def named(image: tf.Tensor) -> Outputs:
        return dict(zip(names, frozen(image), strict=True))

    with tempfile.TemporaryDirectory() as folder:
        signature = tf.function(named, input_signature=[graph.image])
        with disk_errors():
            tf.saved_model.save(tf.Module(), folder, {SIGNATURE: signature})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, [SIGNATURE])
        file.write_bytes(converter.convert())


def _about(version: Path, card: dict[str, Any], calibration: Calibration) -> dict[str, Any]:
    below = calibration.second_look_below
    one_look = card["second_look_below"] and not below
    return {
        "model": version.parent.name,
        "version": version.name,
        "classes": card["classes"],
        "names": card.get("names", {}),
        "input": {"image": "uint8 [N,224,224,3], RGB"},
        "outputs": {
            "probabilities": "float32 [N,C], calibrated, in the order of `classes`",
            "accepted": "bool [N], false where the model is not sure",
        },
        **calibration._asdict(),
        "left_out": [*LEFT_OUT, *([ONE_LOOK] if one_look else [])],
    }
