"""The generated code matches the proto file and TensorFlow Serving's bytes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from serving.wire import messages_pb2 as pb
from serving.wire.generate import PROTOS, compile_proto
from serving.wire.truncation import is_truncated
from tests.support.servers import ROOT


@pytest.mark.parametrize("name", PROTOS)
def test_the_generated_code_is_that_of_the_proto_file(tmp_path: Path, name: str) -> None:
    if importlib.util.find_spec("grpc_tools") is None:
        pytest.skip("grpcio-tools is not installed")
    compile_proto(f"--python_out={tmp_path}")
    generated = tmp_path / "serving" / "wire" / f"{name}_pb2.py"
    committed = ROOT / "serving" / "wire" / f"{name}_pb2.py"
    assert _descriptor(generated) == _descriptor(committed)


def _descriptor(code: Path) -> str:
    """The line that holds all of the proto file; others tell the compiler's version."""
    (line,) = [line for line in code.read_text().splitlines() if line.startswith("DESCRIPTOR =")]
    return line


def test_a_signature_has_the_bytes_that_tensorflow_gives_it() -> None:
    from tensorflow.core.protobuf import meta_graph_pb2

    theirs = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    theirs.inputs["x"].name = "x:0"
    theirs.inputs["x"].dtype = 1
    theirs.inputs["x"].tensor_shape.dim.add(size=-1)
    ours = pb.SignatureDef.FromString(theirs.SerializeToString())
    assert str(ours) == str(theirs)


def test_the_client_needs_no_tensorflow() -> None:
    check = "import sys, serving.client; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


def test_a_message_that_was_cut_off_is_told_from_bytes_that_are_none() -> None:
    whole = pb.ModelSpec(name="us_bills", version_label="stable").SerializeToString()
    assert [is_truncated(whole[:length]) for length in (9, 12, len(whole))] == [True, True, False]
    # Of erased flash: a number without end, of which each byte would take longer than the last.
    assert not is_truncated(b"\xff" * 10_000_000)
