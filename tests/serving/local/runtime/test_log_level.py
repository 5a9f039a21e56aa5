"""Which lines of TensorFlow's C++ reach the terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.servers import ROOT

PROGRAM = """
import ctypes, importlib.util, pathlib
from serving.local.runtime import environment
environment.prepare_environment()
environment.leave_out_python_api()
from serving.local.runtime import saved_model
saved_model.start_runtime()
package = pathlib.Path(importlib.util.find_spec("tensorflow").origin).parent
library = ctypes.CDLL(str(next(package.glob("libtensorflow_framework*"))))
name = environment._SET_MIN_LOG_LEVEL
read = name.replace("14SetMinLogLevelENS0_18LogSeverityAtLeastE", "11MinLogLevelEv")
print(library[read]())
"""


@pytest.mark.parametrize(
    ("given", "level"),
    [("0", 0), ("1", 1), ("2", 2), (None, 2), ("3", 2), ("quiet", 0)],
    ids=["all", "no notes", "errors", "unset", "errors stay", "not understood"],
)
def test_the_variable_holds_for_both_logs_and_errors_are_always_written(
    given: str | None, level: int
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    if given is not None:
        environment["TF_CPP_MIN_LOG_LEVEL"] = given
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(done.stdout) == level
