"""The second look: which photos get one, on which part, and how both answers are combined."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.export.calibration import Calibration, softmax
from training.export.second_look import WEIGHT, _middle, after_second_look, choose_below
from training.export.signatures import write_saved_model

SURE, UNSURE = [8.0, 0.0], [0.4, 0.0]
# What `brightness` says of a white middle.
CLOSER = [4.0, 0.0]


def framed(outside: int, inside: int) -> np.ndarray:
    """A picture of one brightness whose middle has another, uint8 [224,224,3]."""
    picture = np.full((224, 224, 3), outside, np.uint8)
    picture[45:179, 45:179] = inside
    return picture


def brightness(image: tf.Tensor) -> tf.Tensor:
    """A network whose first logit is how bright the picture is, from 0 to 4."""
    bright = tf.reduce_mean(tf.cast(image, tf.float32), axis=[1, 2, 3]) / 255 * 4
    return tf.stack([bright, tf.zeros_like(bright)], axis=1)


def looked_at(logits: list[list[float]], below: float) -> np.ndarray:
    pictures = np.stack([framed(0, 255)] * len(logits))
    first = tf.constant(logits, tf.float32)
    return np.asarray(after_second_look(brightness, pictures, first, 1.0, below))


def mean(first: Any, second: Any) -> np.ndarray:
    return (1 - WEIGHT) * np.asarray(first) + WEIGHT * np.asarray(second)


def test_a_picture_left_unsure_gets_the_mean_of_both_looks() -> None:
    expected = np.stack([SURE, mean(UNSURE, CLOSER)])
    np.testing.assert_allclose(looked_at([SURE, UNSURE], 0.9), expected, atol=1e-5)


def test_the_first_look_counts_more() -> None:
    assert 0 < WEIGHT < 0.5


def test_where_all_are_sure_nothing_changes() -> None:
    np.testing.assert_array_equal(looked_at([SURE, SURE], 0.9), [SURE, SURE])


def test_where_all_are_sure_the_network_is_not_asked_about_no_picture() -> None:
    def refuse(image: tf.Tensor) -> tf.Tensor:
        raise AssertionError(f"asked about {image.shape[0]} pictures")

    logits = tf.constant([SURE, SURE])
    got = after_second_look(refuse, np.stack([framed(0, 255)] * 2), logits, 1.0, 0.9)
    np.testing.assert_array_equal(got, [SURE, SURE])


def test_the_temperature_decides_which_photos_are_unsure() -> None:
    picture = framed(0, 255)[None]
    hot = after_second_look(brightness, picture, tf.constant([SURE]), 8.0, 0.9)
    np.testing.assert_allclose(hot, [mean(SURE, CLOSER)], atol=1e-5)


def test_the_second_look_sees_the_middle_alone() -> None:
    (middle,) = np.asarray(_middle(framed(0, 255)[None]))
    assert middle.shape == (224, 224, 3)
    assert middle.dtype == np.uint8
    assert (middle == 255).all()


def test_as_few_pictures_as_gain_by_it_are_looked_at_again() -> None:
    labels = np.array([0, 0, 0, 1])
    first = np.array([[9.0, 0], [3, 0], [1, 0], [0.5, 0]])
    gains_below_60 = np.array([[9.0, 0], [3, 0], [1, 0], [0, 9]])
    assert choose_below(first, gains_below_60, labels) == 0.7
    assert choose_below(first, first, labels) == 0.0


def network() -> keras.Model:
    """One convolution and a head, with random weights and the names that an export looks for."""
    keras.utils.set_random_seed(0)
    image = keras.Input((224, 224, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 8, strides=8, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, keras.layers.Dense(3, name="logits")(x))


@pytest.mark.parametrize("below", [0.0, 0.01, 1.1], ids=["switched off", "nobody", "everybody"])
def test_a_version_has_it_in_its_graph(tmp_path: Path, below: float) -> None:
    model = network()
    write_saved_model(tmp_path, model, ["1", "5", "Other"], Calibration(1.0, 0.5, below))
    pictures = np.stack([framed(0, 255), framed(255, 0)])
    logits = np.asarray(model(pictures, training=False))
    if below > 1:
        both = mean(logits, model(_middle(pictures), training=False))
        assert np.abs(softmax(both) - softmax(logits)).max() > 0.001
        logits = both
    version: Any = tf.saved_model.load(str(tmp_path))
    for name in ("serving_default", "explain"):
        reply = version.signatures[name](image=tf.constant(pictures))
        expected = -np.sort(-softmax(logits), axis=1)
        np.testing.assert_allclose(reply["probabilities"], expected, atol=1e-4)
