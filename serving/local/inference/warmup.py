"""Replays `assets.extra/tf_serving_warmup_requests` before a version serves.

The file is a TFRecord of `PredictionLog`s of Predict, Classify, Regress or MultiInference calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.inference.classify_regress import infer
from serving.local.inference.predict import predict
from serving.local.inference.signature import DEFAULT_TENSOR_LIMITS, TensorLimits
from serving.local.metrics import Metrics
from serving.local.runtime.saved_model import Servable, records
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD, DEFAULT_SIGNATURE, REGRESS_METHOD

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000


def warm_up(
    servable: Servable, path: Path, metrics: Metrics, limits: TensorLimits = DEFAULT_TENSOR_LIMITS
) -> int:
    """Runs every recorded request once, and returns their number.

    Raises `StatusError` if the file is damaged or a request fails, which fails the load.
    """
    file = path / WARMUP_FILE
    if not file.is_file():
        return 0
    replayed = 0
    with metrics.warm_up(path):
        for entry in _entries(file):
            _replay(servable, entry, limits)
            replayed += 1
    return replayed


def _replay(servable: Servable, entry: pb.PredictionLog, limits: TensorLimits) -> None:
    match entry.WhichOneof("log_type"):
        case "predict_log":
            call = entry.predict_log.request
            name = call.model_spec.signature_name or DEFAULT_SIGNATURE
            predict(servable, name, call.inputs, call.output_filter, limits=limits)
        case "classify_log" | "regress_log" as kind:
            request = getattr(entry, kind).request
            method = CLASSIFY_METHOD if kind == "classify_log" else REGRESS_METHOD
            task = pb.InferenceTask(method_name=method, model_spec=request.model_spec)
            infer(servable, [task], request.input, limits=limits)
        case "multi_inference_log":
            several = entry.multi_inference_log.request
            infer(servable, several.tasks, several.input, limits=limits)
        case "session_run_log":
            text = "Unsupported log_type for warmup: session_run_log"
            raise StatusError(Code.UNIMPLEMENTED, text)


def _entries(file: Path) -> Iterator[pb.PredictionLog]:
    try:
        for number, record in enumerate(records(file)):
            if number >= MAX_RECORDS:
                raise invalid_argument(f"More than {MAX_RECORDS} warmup records at {file}")
            yield pb.PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid_argument(f"Failed to parse warmup record {number} of {file}") from error
