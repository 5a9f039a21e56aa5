"""The graph of a version: the inputs, computation and outputs of each signature.

The graph contains everything after the uint8 picture, including the class names and the threshold,
so that no client has to know them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from training.export.batch_norm_folding import with_folded_batch_norm
from training.export.calibration import Calibration
from training.export.channel_split import with_split_channels
from training.export.decoding import decoded
from training.export.guards import IMAGE_SHAPE, guarded_files, guarded_image
from training.export.second_look import after_second_look

IMAGE = tf.TensorSpec(IMAGE_SHAPE, tf.uint8, name="image")

Network = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def write_saved_model(
    folder: Path, model: keras.Model, classes: list[str], calibration: Calibration
) -> None:
    """Writes the SavedModel of a classifier that returns logits, with the three signatures."""
    class_weights = model.get_layer("logits").kernel.numpy().T
    write_answers(folder, Answer(_frozen(model), class_weights, classes, calibration))


def write_answers(folder: Path, answer: "Answer") -> None:
    """Writes the SavedModel of a network whose weights are constants."""
    image_bytes = tf.TensorSpec((None,), tf.string, name="image_bytes")
    signatures = {
        "serving_default": tf.function(answer.serving_default, input_signature=[IMAGE]),
        "serve_bytes": tf.function(answer.serve_bytes, input_signature=[image_bytes]),
        "explain": tf.function(answer.explain, input_signature=[IMAGE]),
    }
    with disk_errors():
        tf.saved_model.save(tf.Module(), str(folder), signatures)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turns errors of TensorFlow's file system, such as that of a full disk, into `OSError`."""
    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(str(error)) from error


def _frozen(model: keras.Model) -> Any:
    """Returns a function of uint8 [N,224,224,3] to (feature map, logits), with constant weights.

    A server computes expressions of constants once, when it loads the graph: 1.5 times as fast as
    with variables. Also, no variable can be missing or, as in Keras 3 exports, be saved twice.
    """
    features = model.get_layer("pool").input
    both = with_split_channels(
        with_folded_batch_norm(keras.Model(model.input, [features, model.output]))
    )
    traced = tf.function(lambda image: both(image, training=False), input_signature=[IMAGE])
    return convert_variables_to_constants_v2(traced.get_concrete_function())


class Answer:
    """The functions of the three signatures."""

    def __init__(
        self,
        features_and_logits: Network,
        class_weights: NDArray[np.float32],
        classes: list[str],
        calibration: Calibration,
    ) -> None:
        """Stores the parts of the signatures.

        Args:
            features_and_logits: Maps uint8 [N,224,224,3] to the last feature map and the logits.
            class_weights: float32 [C,features], of the dense layer behind the pooled map.
            classes: The names of the C classes.
            calibration: The temperature, the thresholds, and when to look again.
        """
        self._features_and_logits = features_and_logits
        self._class_weights = tf.constant(class_weights)
        self._classes = tf.constant(classes)
        self._calibration = calibration
        # An array becomes a constant in each function: `reexport` takes the one outside of them.
        self._thresholds = calibration.thresholds(classes)

    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers uint8 [N,224,224,3] RGB."""
        return self._answer(guarded_image(image))

    def serve_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers string [N]: JPEG, PNG, GIF (first frame) or BMP files, not turned upright."""
        return self._answer(decoded(guarded_files(image_bytes)))

    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers uint8 [N,224,224,3] RGB and adds a heat map of the top class.

        With global average pooling and one dense layer, the class activation map is exact: the
        feature map weighted by the class's row (Zhou et al., CVPR 2016, section 2).
        """
        image = guarded_image(image)
        features, logits = self._features_and_logits(image)
        logits = self._reconsidered(image, logits)
        weights = tf.gather(self._class_weights, tf.argmax(logits, axis=1))
        heat = tf.nn.relu(tf.einsum("nhwc,nc->nhw", features, weights))
        highest = tf.reduce_max(heat, axis=[1, 2], keepdims=True)
        return {**self._ranked(logits), "heatmap": tf.math.divide_no_nan(heat, highest)}

    def _answer(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._ranked(self._reconsidered(image, self._logits(image)))

    def _logits(self, image: tf.Tensor) -> tf.Tensor:
        return self._features_and_logits(image)[1]

    def _reconsidered(self, image: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        below = self._calibration.second_look_below
        if not below:
            return logits
        temperature = self._calibration.temperature
        return after_second_look(self._logits, image, logits, temperature, below)

    def _ranked(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(logits / self._calibration.temperature)
        ranked, order = tf.math.top_k(probabilities, k=len(self._classes))
        return {
            "classes": tf.gather(self._classes, order),
            "probabilities": ranked,
            "accepted": ranked[:, 0] >= tf.gather(self._thresholds, order[:, 0]),
        }
