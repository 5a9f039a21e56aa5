"""Writes `*_pb2.py` and `*_pb2.pyi` from the proto files of this folder.

Run it as `python -m serving.wire.generate`, with a grpcio-tools no newer than 1.75: generated
code refuses a protobuf older than the compiler's own, and the project asks for 6.31 or later.
"""

import subprocess
import sys
from pathlib import Path

WIRE = Path(__file__).parent
ROOT = WIRE.parent.parent
PROTOS = ("messages", "operations")


def compile_proto(*outputs: str) -> None:
    """Runs protoc on all proto files.

    Args:
        outputs: protoc's output options, for example `--python_out=DIR`.

    Raises:
        subprocess.CalledProcessError: protoc refused; its own message is on stderr.
    """
    # A separate process, since protoc's library and TensorFlow cannot share one.
    files = [str(WIRE / f"{name}.proto") for name in PROTOS]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", *outputs, *files]
    subprocess.run(command, check=True)  # noqa: S603 - our own command line


def generate(root: Path = ROOT) -> None:
    """Writes the generated files below `root`."""
    compile_proto(f"--python_out={root}", f"--pyi_out={root}")
    for name in PROTOS:
        stub = root / "serving" / "wire" / f"{name}_pb2.pyi"
        # protoc's own stubs leave out type arguments that a strict check asks for.
        stub.write_text("# mypy: ignore-errors\n" + stub.read_text())


if __name__ == "__main__":
    generate()
