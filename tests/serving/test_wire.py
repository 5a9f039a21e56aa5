"""The generated code belongs to the proto file, and to TensorFlow Serving's bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from serving.wire import messages_pb2 as pb
from serving.wire.generate import compile_proto
from tests.support.servers import ROOT


def test_the_generated_code_is_that_of_the_proto_file(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    compile_proto(f"--descriptor_set_out={tmp_path / 'set'}")
    files = descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "set").read_bytes())
    committed = descriptor_pb2.FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)
    assert files.file[0] == committed


def test_a_signature_has_the_bytes_that_tensorflow_gives_it() -> None:
    from tensorflow.core.protobuf import meta_graph_pb2  # type: ignore[import-untyped]

    theirs = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    theirs.inputs["x"].name = "x:0"
    theirs.inputs["x"].dtype = 1
    theirs.inputs["x"].tensor_shape.dim.add(size=-1)
    ours = pb.SignatureDef.FromString(theirs.SerializeToString())
    assert str(ours) == str(theirs)


def test_the_client_needs_no_tensorflow() -> None:
    check = "import sys, serving.client; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0
