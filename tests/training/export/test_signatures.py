"""The tensors that the graph of a version accepts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.export.test_second_look import network
from training.export.calibration import Calibration
from training.export.signatures import write_saved_model

CLASSES = ["1", "5", "Other"]


@pytest.mark.parametrize("signature", ["serving_default", "explain"])
def test_a_class_that_needs_more_is_accepted_by_its_own_threshold(
    tmp_path: Path, signature: str
) -> None:
    model = network()
    pictures = np.stack([np.full((224, 224, 3), value, np.uint8) for value in (0, 255)])
    probabilities = tf.nn.softmax(model(pictures, training=False)).numpy()
    said, most = probabilities.argmax(1), probabilities.max(1)
    for stricter in ({}, {CLASSES[said[0]]: float(most[0]) + 0.01}):
        folder = tmp_path / str(len(stricter))
        write_saved_model(folder, model, CLASSES, Calibration(1.0, 0.1, 0.0, stricter))
        version: Any = tf.saved_model.load(str(folder))
        accepted = version.signatures[signature](image=tf.constant(pictures))["accepted"].numpy()
        needed = [stricter.get(CLASSES[place], 0.1) for place in said]
        assert accepted.tolist() == (most >= needed).tolist()
        assert bool(accepted[0]) is not bool(stricter)
