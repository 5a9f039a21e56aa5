"""More dimensions than numpy's 64, of which TensorFlow takes 254, are refused in clear words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from serving.local.errors import StatusError
from serving.local.predict import RequestTensors, predict
from serving.local.servable import SavedModel
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import to_proto
from tests.serving import models

ONE = np.array([1], np.float32)


class Deep(tf.Module):  # type: ignore[misc]
    """Gives one dimension too many."""

    @tf.function(input_signature=[tf.TensorSpec([1], tf.float32, "x")])  # type: ignore[untyped-decorator]
    def call(self, x: Any) -> dict[str, Any]:
        """The serving signature."""
        return {"y": tf.reshape(x, [1] * 65)}


@pytest.mark.parametrize(
    ("rank", "reason"),
    [
        (65, "UNIMPLEMENTED: x has 65 dimensions. This server takes at most 64."),
        (254, "UNIMPLEMENTED: x has 254 dimensions. This server takes at most 64."),
        (255, "INVALID_ARGUMENT: tensor parsing error: x"),
    ],
)
def test_an_input_that_only_numpy_cannot_hold_is_told_from_one_that_tensorflow_cannot(
    rank: int, reason: str
) -> None:
    proto = to_proto(ONE)
    proto.tensor_shape.dim.extend([pb.TensorShapeProto.Dim(size=1)] * (rank - 1))
    with pytest.raises(StatusError) as refusal:
        RequestTensors({"x": proto})["x"]
    assert str(refusal.value) == reason


def test_an_output_that_numpy_cannot_hold_is_refused(tmp_path: Path) -> None:
    servable = SavedModel(models.save(Deep(), tmp_path / "deep" / "1"))
    with pytest.raises(StatusError, match="UNIMPLEMENTED: An output has more than 64 dimensions"):
        predict(servable, "serving_default", {"x": ONE})
    servable.close()
