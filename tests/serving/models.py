"""Small SavedModels for tests, built with TensorFlow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD
from serving.wire.tensors import Array, to_proto


class HalfPlus(tf.Module):  # type: ignore[misc]
    """`y = x / 2 + offset`, with variables, as every trained model has."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.half = tf.Variable(0.5)
        self.offset = tf.Variable(offset)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])  # type: ignore[untyped-decorator]
    def call(self, x: Any) -> dict[str, Any]:
        """The serving signature."""
        return {"y": self.half * x + self.offset}


class Slow(tf.Module):  # type: ignore[misc]
    """Takes time in proportion to its input: `n` rounds of a matrix product."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "n")])  # type: ignore[untyped-decorator]
    def call(self, n: Any) -> dict[str, Any]:
        """The serving signature."""
        matrix = tf.eye(400)
        for _ in tf.range(n):
            matrix = tf.matmul(matrix, matrix)
        return {"trace": tf.linalg.trace(matrix)}


class Big(tf.Module):  # type: ignore[misc]
    """Holds 200 MB of variables."""

    BYTES = 200_000_000

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.zeros([self.BYTES // 4]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])  # type: ignore[untyped-decorator]
    def call(self, x: Any) -> dict[str, Any]:
        """The serving signature."""
        return {"y": x + self.weights[0]}


class Deadly(tf.Module):  # type: ignore[misc]
    """Ends the process that asks it, as one that the system kills for want of memory ends."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])  # type: ignore[untyped-decorator]
    def call(self, x: Any) -> dict[str, Any]:
        """The serving signature."""
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="as by the system")]):
            return {"y": tf.identity(x)}


class Strings(tf.Module):  # type: ignore[misc]
    """Strings in, strings, lengths and a flag out."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])  # type: ignore[untyped-decorator]
    def call(self, text: Any) -> dict[str, Any]:
        """The serving signature."""
        length = tf.strings.length(text)
        return {"echo": text, "echo_bytes": text, "length": length, "short": length < 3}


class Classifier(tf.Module):  # type: ignore[misc]
    """Scores an example by its size in bytes."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])  # type: ignore[untyped-decorator]
    def call(self, inputs: Any) -> dict[str, Any]:
        """The serving signature; the names are those of TensorFlow Serving's method."""
        return {"scores": tf.cast(tf.strings.length(inputs), tf.float32)[:, tf.newaxis]}


class SlowClassifier(tf.Module):  # type: ignore[misc]
    """Gives every example the same score, after hours."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])  # type: ignore[untyped-decorator]
    def call(self, inputs: Any) -> dict[str, Any]:
        """The serving signature; the names are those of TensorFlow Serving's method."""
        matrix = tf.eye(400)
        for _ in tf.range(10_000_000):
            matrix = tf.matmul(matrix, matrix)
        score = tf.linalg.trace(matrix) / 400
        return {"scores": tf.fill([tf.shape(inputs)[0], 1], score)}


class Counter(tf.Module):  # type: ignore[misc]
    """Has the contract of a counter of bills: as many as a picture's first value says, all of $1.

    Args:
        side: height and width of a picture, in pixels.
        places: bills that there is room for.
        largest: pictures that it takes at once.
    """

    def __init__(self, side: int = 448, places: int = 16, largest: int = 16) -> None:
        super().__init__()
        self._sides, self._places, self._largest = (side, side, 3), places, largest
        image = tf.TensorSpec([None, *self._sides], tf.uint8, "image")
        self.call = tf.function(self._count, input_signature=[image])

    def _count(self, image: Any) -> dict[str, Any]:
        image = guarded(image, self._sides, self._largest)
        count = tf.minimum(tf.cast(_cut_out(image)[:, 0, 0, 0], tf.int32), self._places)
        there = tf.range(self._places)[tf.newaxis] < count[:, tf.newaxis]
        places = tf.cast(there, tf.float32)
        square = tf.constant([[0.1, 0.1], [0.3, 0.1], [0.3, 0.2], [0.1, 0.2]])
        return {
            "boxes": places[..., tf.newaxis, tf.newaxis] * _turned(square),
            "classes": tf.where(there, "1", ""),
            "scores": 0.9 * places,
            "count": count,
            "accepted": count < self._places,
        }


def _cut_out(image: Any) -> Any:
    """The upper left quarter, by the operation that cuts out turned bills."""
    straight = tf.tile([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]], [tf.shape(image)[0], 1])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image,
        transforms=straight,
        output_shape=tf.constant([side // 2 for side in image.shape[1:3]]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _turned(corners: Any) -> Any:
    """Corners turned by an angle that is known by its sine and cosine, here of none."""
    turn = tf.atan2(tf.zeros([]), tf.ones([]))
    return corners @ tf.stack([[tf.cos(turn), tf.sin(turn)], [-tf.sin(turn), tf.cos(turn)]])


def save_counter(path: Path, card: Mapping[str, Any] | None = None, **made: int) -> Path:
    """Writes a version of a counter, with its card and a warm-up request; see `Counter`."""
    counter = Counter(**made)
    version = save(counter, path)
    write_warmup(version, {"image": np.zeros((1, *counter._sides), np.uint8)})
    text = json.dumps({"kind": "counter", **(card or {})})
    (version / "assets.extra" / "model_card.json").write_text(text)
    return version


def guarded(value: Any, sides: tuple[int, ...], largest: int = 64) -> Any:
    """Any value of [N, *sides] with N up to `largest`; others are invalid arguments."""
    shape = shape_as_sent(value)
    same = tf.raw_ops.Equal(x=shape[1:], y=sides, incompatible_shape_error=False)
    right = tf.reduce_all(same) & (tf.size(shape) == 1 + len(sides)) & (shape[0] <= largest)
    with tf.control_dependencies([tf.debugging.Assert(right, [shape])]):
        return tf.identity(value)


def shape_as_sent(value: Any) -> Any:
    """The shape of what comes, where TensorFlow would believe the signature."""
    return tf.shape(tf.raw_ops.PlaceholderWithDefault(input=value, shape=None))


def save_classifier(module: Any, path: Path) -> Path:
    """Writes a version whose signature classifies, which TensorFlow 2 has no call for."""
    with edited(save(module, path)) as graph:
        graph.signature_def["serving_default"].method_name = CLASSIFY_METHOD
    return path


@contextmanager
def edited(version: Path) -> Iterator[Any]:
    """The graph of a version, to be changed in its file."""
    file = version / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (graph,) = model.meta_graphs
    yield graph
    file.write_bytes(model.SerializeToString())


def save(module: Any, path: Path) -> Path:
    """Writes a version with one signature."""
    return save_signatures(path, module, {"serving_default": module.call})


def save_signatures(path: Path, module: Any, signatures: Mapping[str, Any]) -> Path:
    """Writes a version elsewhere and puts it in place at once, as training does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.parent / f"draft-{path.name}"
    tf.saved_model.save(module or tf.Module(), str(draft), signatures=dict(signatures))
    return draft.rename(path)


def publish(version: Path, base_path: Path, number: int) -> Path:
    """Copies a version below a base path under a number, and puts it in place at once."""
    base_path.mkdir(parents=True, exist_ok=True)
    draft = base_path / f"draft-{number}"
    shutil.copytree(version, draft)
    return draft.rename(base_path / str(number))


def write_warmup(version: Path, inputs: Mapping[str, Array]) -> None:
    """Gives a version one warm-up request."""
    log = pb.PredictionLog()
    for name, array in inputs.items():
        log.predict_log.request.inputs[name].CopyFrom(to_proto(array))
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(log.SerializeToString())
