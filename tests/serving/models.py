"""Small SavedModels for tests, built with TensorFlow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
