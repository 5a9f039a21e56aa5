"""A warm-up file that cannot be replayed fails the load and says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.local.errors import Code, StatusError
from serving.local.inference.dataplane import Served
from serving.local.inference.loader import WARMUP_FILE, warm_up
from serving.local.runtime.saved_model import SavedModel
from serving.wire import messages_pb2 as pb
from tests.serving import models

X = {"x": np.array([1], np.float32)}

Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "no records at all": lambda _: b"a text, and not a short one",
    "another length": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "another content": lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
    "cut off": lambda data: data[:-1],
    "cut off in a later one": lambda data: data + data[:20],
}


@pytest.fixture
def version(small_models: Path, tmp_path: Path) -> Path:
    made = models.publish(small_models / "half" / "1", tmp_path / "half", 1)
    models.write_warmup(made, X)
    return made


def replay(version: Path) -> int:
    servable = SavedModel(version)
    try:
        return warm_up(Served(servable), version / WARMUP_FILE)
    finally:
        servable.close()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_told_as_tensorflow_tells_it(version: Path, damage: Damage) -> None:
    file = version / WARMUP_FILE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(tf.errors.DataLossError) as told:
        list(tf.data.TFRecordDataset(str(file)))
    with pytest.raises(StatusError) as failure:
        replay(version)
    assert failure.value.code is Code.DATA_LOSS
    reason, _, place = failure.value.message.partition(", reading ")
    assert reason in told.value.message
    assert place == str(file)


def test_what_is_shorter_than_a_header_at_the_end_counts_as_nothing(version: Path) -> None:
    file = version / WARMUP_FILE
    file.write_bytes(file.read_bytes() + b"rest")
    assert replay(version) == 1


def write(version: Path, log: pb.PredictionLog) -> None:
    """Gives a version this one warm-up request."""
    with tf.io.TFRecordWriter(str(version / WARMUP_FILE)) as writer:
        writer.write(log.SerializeToString())


def test_a_record_that_cannot_be_replayed_is_named_by_its_type(version: Path) -> None:
    write(version, pb.PredictionLog(session_run_log=pb.SessionRunLog()))
    with pytest.raises(StatusError) as failure:
        replay(version)
    assert str(failure.value) == "UNIMPLEMENTED: Unsupported log_type for warmup: session_run_log"


def test_several_tasks_at_once_are_replayed_as_they_would_be_answered(version: Path) -> None:
    task = pb.InferenceTask(model_spec=pb.ModelSpec(signature_name="nowhere"))
    request = pb.MultiInferenceRequest(tasks=[task])
    write(version, pb.PredictionLog(multi_inference_log=pb.MultiInferenceLog(request=request)))
    with pytest.raises(StatusError, match="nowhere"):
        replay(version)
