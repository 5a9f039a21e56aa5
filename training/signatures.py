"""The graph of a version: what each signature takes, does and gives.

Everything after the uint8 picture is in it, the class names and the threshold too, so no client has
to know them.
"""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from training.calibrate import Calibration
from training.folding import folded
from training.halving import halved
from training.second_look import after_second_look
from webapp.preprocessing import IMAGE_SIZE

IMAGE = tf.TensorSpec((None, IMAGE_SIZE, IMAGE_SIZE, 3), tf.uint8, name="image")


def write_saved_model(
    folder: Path, model: keras.Model, classes: list[str], calibration: Calibration
) -> None:
    """Writes the SavedModel of a classifier that gives logits, with the three signatures."""
    answer = Answer(model, classes, calibration)
    image_bytes = tf.TensorSpec((None,), tf.string, name="image_bytes")
    signatures = {
        "serving_default": tf.function(answer.serving_default, input_signature=[IMAGE]),
        "serve_bytes": tf.function(answer.serve_bytes, input_signature=[image_bytes]),
        "explain": tf.function(answer.explain, input_signature=[IMAGE]),
    }
    tf.saved_model.save(tf.Module(), str(folder), signatures)


def _frozen(model: keras.Model) -> Any:
    """Returns uint8 [N,224,224,3] to (feature map, logits), with the weights as constants.

    Only what is constant is computed once, when a server loads it: 1.5 times as fast as with
    variables. And no variable can be left behind or, as Keras 3 exports do, be saved twice.
    """
    features = model.get_layer("pool").input
    both = halved(folded(keras.Model(model.input, [features, model.output])))
    traced = tf.function(lambda image: both(image, training=False), input_signature=[IMAGE])
    return convert_variables_to_constants_v2(traced.get_concrete_function())


class Answer:
    """The signatures' functions."""

    def __init__(self, model: keras.Model, classes: list[str], calibration: Calibration) -> None:
        self._features_and_logits = _frozen(model)
        self._class_weights = tf.constant(model.get_layer("logits").kernel.numpy().T)
        self._classes = tf.constant(classes)
        self._calibration = calibration

    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers uint8 [N,224,224,3] RGB."""
        return self._ranked(self._reconsidered(image, self._logits(image)))

    def serve_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers string [N]: JPEG, PNG, GIF (first frame) or BMP files, taken as they lie."""
        return self.serving_default(tf.map_fn(_decode, image_bytes, fn_output_signature=tf.uint8))

    def explain(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers uint8 [N,224,224,3] RGB and adds where the top class was seen.

        With global average pooling and one dense layer, the class activation map is exact: the
        feature map weighted by the class's row (Zhou et al., CVPR 2016, section 2).
        """
        features, logits = self._features_and_logits(image)
        logits = self._reconsidered(image, logits)
        weights = tf.gather(self._class_weights, tf.argmax(logits, axis=1))
        heat = tf.nn.relu(tf.einsum("nhwc,nc->nhw", features, weights))
        highest = tf.reduce_max(heat, axis=[1, 2], keepdims=True)
        return {**self._ranked(logits), "heatmap": tf.math.divide_no_nan(heat, highest)}

    def _logits(self, image: tf.Tensor) -> tf.Tensor:
        return self._features_and_logits(image)[1]

    def _reconsidered(self, image: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        temperature, _, below = self._calibration
        if not below:
            return logits
        return after_second_look(self._logits, image, logits, temperature, below)

    def _ranked(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(logits / self._calibration.temperature)
        ranked, order = tf.math.top_k(probabilities, k=len(self._classes))
        return {
            "classes": tf.gather(self._classes, order),
            "probabilities": ranked,
            "accepted": ranked[:, 0] >= self._calibration.threshold,
        }


def _decode(image_bytes: tf.Tensor) -> tf.Tensor:
    """One file to uint8 [224,224,3]: what the front end makes of an upright RGB photo, within 1.

    Its JPEG decoder is the accurate one (`decode_image` alone would take the fast one, up to five
    levels away), and Pillow resizes the width first and rounds before it resizes the height.
    """
    pixels = tf.cond(
        tf.io.is_jpeg(image_bytes),
        lambda: tf.io.decode_jpeg(image_bytes, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(image_bytes, channels=3, expand_animations=False),
    )
    pixels.set_shape((None, None, 3))
    narrow = _resize(pixels, (tf.shape(pixels)[0], IMAGE_SIZE))
    return tf.ensure_shape(_resize(narrow, (IMAGE_SIZE, IMAGE_SIZE)), (IMAGE_SIZE, IMAGE_SIZE, 3))


def _resize(pixels: tf.Tensor, size: tuple[tf.Tensor | int, int]) -> tf.Tensor:
    smooth = tf.image.resize(pixels, size, "bilinear", antialias=True)
    return tf.cast(tf.floor(smooth + 0.5), tf.uint8)
