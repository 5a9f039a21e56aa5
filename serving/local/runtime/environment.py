"""Sets up TensorFlow's environment before its import, and hides its C++ messages."""

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
# `void absl::SetMinLogLevel(absl::LogSeverityAtLeast)` of the Abseil in TensorFlow 2.20.
_SET_MIN_LOG_LEVEL = "_ZN4absl12lts_2025012714SetMinLogLevelENS0_18LogSeverityAtLeastE"


def prepare_environment() -> None:
    """Sets the variables that TensorFlow reads on import, unless the user has set them."""
    os.environ.setdefault(_LOG_LEVEL, "2")
    # The search for a GPU takes time, and prints errors on a machine without one.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # By default TensorFlow uses oneDNN only with AVX-512; with AVX2 alone oneDNN is still 1.5 times
    # as fast for one photo, and twice as fast for eight.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # oneDNN's own allocator would keep the memory of an unloaded version.
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")


def leave_out_python_api() -> None:
    """Makes `import tensorflow.python...` load only that module, not the whole of TensorFlow.

    TensorFlow's `__init__` imports 1,600 modules, Keras among them: 120 MB and 1.5 s
    (`docs/decisions/0001-tensorflow-c-interface.md`). Afterwards `import tensorflow as tf` gives an
    empty package in this process, unless TensorFlow was imported before. Plug-ins for other
    devices, which `__init__` searches, are not loaded either.
    """
    spec = importlib.util.find_spec("tensorflow")
    if spec is not None:
        sys.modules.setdefault("tensorflow", importlib.util.module_from_spec(spec))


def apply_log_level() -> None:
    """Applies `TF_CPP_MIN_LOG_LEVEL` to Abseil's log too; errors are written at any level.

    TensorFlow's own log obeys the variable. Parts of TensorFlow, such as the rewriting of graphs to
    bfloat16, write to Abseil's log, whose level only a C++ function can set. Call this once
    TensorFlow is imported. If a release has no function of this name, the messages reappear, and
    `tests/serving/local/runtime/test_precision.py` fails.
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
    """Discards stderr, since some C++ messages of the first import and run obey no log level."""
    saved = os.dup(STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDERR)
    try:
        yield
    finally:
        os.dup2(saved, STDERR)
        os.close(saved)
        os.close(nowhere)
