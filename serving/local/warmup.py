"""Replays `assets.extra/tf_serving_warmup_requests` before a version serves.

The file is a TFRecord of `PredictionLog`s; their calls are Predict, Classify, Regress or
MultiInference. Texts are those of `saved_model_warmup_util.cc` and of TensorFlow's record reader,
which reads the file and checks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.python.framework import errors
from tensorflow.python.lib.io._pywrap_record_io import RecordIterator

from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.inference import infer, infer_request, tasks_of
from serving.local.metrics import Metrics
from serving.local.predict import predict_request
from serving.local.servable import Servable
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD, REGRESS_METHOD

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000

_NO_RECORDS = ". Please verify your warmup data is in TFRecord format."


def warm_up(servable: Servable, path: Path, metrics: Metrics) -> int:
    """Runs every recorded request once.

    Args:
        servable: the version just loaded.
        path: its directory.
        metrics: times it.

    Returns:
        How many requests were replayed; 0 without a warm-up file.

    Raises:
        StatusError: the file is damaged or a request fails, which fails the load (recorded case
            646).
    """
    file = path / WARMUP_FILE
    if not file.is_file():
        return 0
    replayed = 0
    with metrics.warm_up(path):
        for entry in _entries(file):
            _replay(servable, entry)
            replayed += 1
    return replayed


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
            infer(servable, tasks_of(request), request.input)
        case "session_run_log":
            number = pb.PredictionLog.SESSION_RUN_LOG_FIELD_NUMBER
            text = f"Unsupported log_type for warmup: {number}"
            raise StatusError(Code.UNIMPLEMENTED, text)


def _entries(file: Path) -> Iterator[pb.PredictionLog]:
    for number, record in enumerate(_records(file)):
        if number >= MAX_RECORDS:
            text = f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}"
            raise invalid_argument(text)
        try:
            yield pb.PredictionLog.FromString(record)
        except DecodeError as error:
            shown = record.decode("utf-8", "replace")
            text = f"Failed to parse warmup record: {shown} from {file}"
            raise invalid_argument(text) from error


def _records(file: Path) -> Iterator[bytes]:
    """The records of a TFRecord file; a rest that is shorter than a header counts as nothing."""
    try:
        yield from RecordIterator(str(file), "")
    except errors.OpError as error:
        hint = _NO_RECORDS if isinstance(error, errors.DataLossError) else ""
        raise StatusError(Code(error.error_code), error.message + hint) from error
