"""Loads a version from disk, and replays its warm-up requests before it serves.

`assets.extra/tf_serving_warmup_requests` is a TFRecord of `PredictionLog`s of Predict, Classify,
Regress or MultiInference calls.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.inference.classify_regress import infer
from serving.local.inference.dataplane import Served
from serving.local.inference.predict import predict
from serving.local.inference.signature import TensorLimits
from serving.local.lifecycle import config_files
from serving.local.metrics import Metrics
from serving.local.runtime import allocator
from serving.local.runtime.batching import BatchedServable
from serving.local.runtime.fair_scheduler import FairScheduler
from serving.local.runtime.saved_model import SavedModel, Servable, records
from serving.local.settings import BFLOAT16, Settings
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD, DEFAULT_SIGNATURE, REGRESS_METHOD

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000


@dataclasses.dataclass
class SavedModelLoader:
    """Loads a version's directory as a servable, in the way that the flags say."""

    settings: Settings = dataclasses.field(default_factory=Settings)
    metrics: Metrics = dataclasses.field(default_factory=Metrics)

    def __post_init__(self) -> None:
        """Reads the files that flags name; raises `StatusError` if a file cannot be used."""
        self._batching = config_files.batching(self.settings)
        self._verify = config_files.verifier(self.settings)

    def __call__(self, path: Path) -> Servable:
        """Loads a version; raises `StatusError` if the load or a warm-up request fails.

        With a key, a version that differs from its signature is refused before it runs:
        `UNAUTHENTICATED`.
        """
        self._require_signed(path)
        model = SavedModel(path, bfloat16=self.settings.mixed_precision == BFLOAT16)
        servable: Servable = FairScheduler(model, self.settings.parallelism)
        # Frees the memory of the load before the warm-up allocates its own.
        allocator.return_freed()
        try:
            if self._batching is not None:
                servable = BatchedServable(servable, self._batching, self.metrics)
            self._warm_up(servable, path)
        except Exception:
            servable.close()
            raise
        allocator.return_freed()
        return servable

    def _warm_up(self, servable: Servable, path: Path) -> None:
        file = path / WARMUP_FILE
        if self.settings.enable_model_warmup and file.is_file():
            with self.metrics.warm_up(path):
                warm_up(Served(servable, TensorLimits.of(self.settings)), file)

    def _require_signed(self, path: Path) -> None:
        if self._verify is None:
            return
        from serving.signing.manifest import Untrusted

        try:
            self._verify(path)
        except Untrusted as error:
            raise StatusError(Code.UNAUTHENTICATED, str(error)) from error


def warm_up(served: Served, file: Path) -> int:
    """Runs every recorded request of a file once, and returns their number.

    Raises `StatusError` if the file is damaged or a request fails, which fails the load.
    """
    replayed = 0
    for entry in _entries(file):
        _replay(served, entry)
        replayed += 1
    return replayed


def _replay(served: Served, entry: pb.PredictionLog) -> None:
    match entry.WhichOneof("log_type"):
        case "predict_log":
            call = entry.predict_log.request
            name = call.model_spec.signature_name or DEFAULT_SIGNATURE
            predict(served, name, call.inputs, call.output_filter)
        case "classify_log" | "regress_log" as kind:
            request = getattr(entry, kind).request
            method = CLASSIFY_METHOD if kind == "classify_log" else REGRESS_METHOD
            task = pb.InferenceTask(method_name=method, model_spec=request.model_spec)
            infer(served, [task], request.input)
        case "multi_inference_log":
            several = entry.multi_inference_log.request
            infer(served, several.tasks, several.input)
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
