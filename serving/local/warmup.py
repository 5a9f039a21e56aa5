"""Replays `assets.extra/tf_serving_warmup_requests` before a version serves.

The file is a TFRecord of `PredictionLog`s; their calls are Predict, Classify, Regress or
MultiInference.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from serving.local.errors import Code, StatusError
from serving.local.inference import infer, infer_request, task_of
from serving.local.predict import predict_request
from serving.local.servable import Servable
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD, REGRESS_METHOD

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000

_HEADER = struct.Struct("<QI")
_CHECKSUM_BYTES = 4


def warm_up(servable: Servable, path: Path) -> int:
    """Runs every recorded request once.

    Args:
        servable: the version just loaded.
        path: its directory.

    Returns:
        How many requests were replayed; 0 without a warm-up file.

    Raises:
        StatusError: the file is damaged or a request fails, which fails the load (recorded case
            646).
    """
    file = path / WARMUP_FILE
    if not file.is_file():
        return 0
    entries = list(_entries(file.read_bytes()))
    for entry in entries:
        _replay(servable, entry)
    return len(entries)


def _replay(servable: Servable, entry: pb.PredictionLog) -> None:
    match entry.WhichOneof("log_type"):
        case "predict_log":
            predict_request(servable, entry.predict_log.request)
        case "classify_log":
            infer_request(servable, CLASSIFY_METHOD, entry.classify_log.request)
        case "regress_log":
            infer_request(servable, REGRESS_METHOD, entry.regress_log.request)
        case "multi_inference_log":
            request = entry.multi_inference_log.request
            tasks = [task_of(task.method_name, task.model_spec) for task in request.tasks]
            infer(servable, tasks, request.input)


def _entries(data: bytes) -> Iterator[pb.PredictionLog]:
    for number, record in enumerate(_records(data)):
        if number >= MAX_RECORDS:
            text = f"Number of warmup records exceeds the maximum ({MAX_RECORDS})"
            raise StatusError(Code.INVALID_ARGUMENT, text)
        try:
            yield pb.PredictionLog.FromString(record)
        except DecodeError as error:
            text = f"Failed to parse warmup record: {error}"
            raise StatusError(Code.INVALID_ARGUMENT, text) from error


def _records(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        start = position + _HEADER.size
        if start > len(data):
            raise StatusError(Code.DATA_LOSS, f"truncated record at {position}")
        length, _ = _HEADER.unpack_from(data, position)
        if start + length + _CHECKSUM_BYTES > len(data):
            raise StatusError(Code.DATA_LOSS, f"truncated record at {position}")
        yield data[start : start + length]
        position = start + length + _CHECKSUM_BYTES
