"""What TensorFlow is told before it starts, and how its C++ messages stay off a terminal."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

STDERR = 2

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_ERROR = 2
# `void absl::SetMinLogLevel(absl::LogSeverityAtLeast)` of the Abseil that is in TensorFlow 2.20.
_SET_MIN_LOG_LEVEL = "_ZN4absl12lts_2025012714SetMinLogLevelENS0_18LogSeverityAtLeastE"


def prepare_environment() -> None:
    """Sets what TensorFlow reads when it is imported; what the user has set stays."""
    os.environ.setdefault(_LOG_LEVEL, "2")
    # Looking for a GPU takes time and prints errors where there is none.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # By itself TensorFlow takes oneDNN only where there is AVX-512; with AVX2 alone it is still 1.5
    # times as fast for one photo, and twice for eight.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # Its own allocator would keep the memory of a version that is unloaded.
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")


def leave_out_python_api() -> None:
    """Has `import tensorflow.python...` load what it names, without all of TensorFlow before it.

    The package's own beginning imports 1,600 modules, Keras among them: 120 MB and 1.5 s
    (`docs/decisions/0001-tensorflow-c-interface.md`). In this
    process `import tensorflow as tf` gives an empty package afterwards, unless it was there before.
    Plug-ins for other devices, which it looks for, are not loaded either.
    """
    spec = importlib.util.find_spec("tensorflow")
    if spec is not None:
        sys.modules.setdefault("tensorflow", importlib.util.module_from_spec(spec))


def apply_log_level() -> None:
    """Has Abseil's log obey `TF_CPP_MIN_LOG_LEVEL` too; errors are written at any level.

    TensorFlow has a log of its own, which does. Parts of it, such as the rewriting of graphs to
    bfloat16, write to Abseil's, whose level no variable sets: only this function of its C++ library
    does. Call it once TensorFlow is imported. Where a release has no function of this name, the
    lines come back, and `tests/serving/local/runtime/test_precision.py` fails.
    """
    level = os.environ.get(_LOG_LEVEL, "")
    spec = importlib.util.find_spec("tensorflow")
    if not level.isdecimal() or spec is None:
        return
    with contextlib.suppress(OSError, AttributeError, StopIteration):
        package = Path(next(iter(spec.submodule_search_locations or ())))
        library = ctypes.CDLL(str(next(package.glob("libtensorflow_framework*"))))
        library[_SET_MIN_LOG_LEVEL](min(int(level), _ERROR))


@contextlib.contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Sends what C++ prints to nowhere.

    Some lines of the first import and the first run obey no log level.
    """
    saved = os.dup(STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDERR)
    try:
        yield
    finally:
        os.dup2(saved, STDERR)
        os.close(saved)
        os.close(nowhere)
