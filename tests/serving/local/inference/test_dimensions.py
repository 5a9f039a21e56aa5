"""An output with more than numpy's 64 dimensions is refused, although TensorFlow allows 254."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from serving.local.errors import StatusError
from serving.local.inference.dataplane import Served
from serving.local.inference.predict import predict
from serving.local.runtime.saved_model import SavedModel
from tests.serving import models

ONE = np.array([1], np.float32)


class Deep(tf.Module):  # type: ignore[misc]
    """Gives one dimension too many."""

    @tf.function(input_signature=[tf.TensorSpec([1], tf.float32, "x")])  # type: ignore[untyped-decorator]
    def call(self, x: Any) -> dict[str, Any]:
        """The serving signature."""
        return {"y": tf.reshape(x, [1] * 65)}


def test_an_output_that_numpy_cannot_hold_is_refused(tmp_path: Path) -> None:
    servable = SavedModel(models.save(Deep(), tmp_path / "deep" / "1"))
    with pytest.raises(StatusError, match="UNIMPLEMENTED: An output has more than 64 dimensions"):
        predict(Served(servable), "serving_default", {"x": ONE})
    servable.close()
