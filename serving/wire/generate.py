"""Writes `messages_pb2.py` and `messages_pb2.pyi` from `messages.proto`.

Run it as `python -m serving.wire.generate`, with a grpcio-tools no newer than 1.75: generated
code refuses a protobuf older than the compiler's own, and the project asks for 6.31 or later.
"""

from importlib import resources
from pathlib import Path

WIRE = Path(__file__).parent
ROOT = WIRE.parent.parent
PROTO = WIRE / "messages.proto"


def compile_proto(*outputs: str) -> None:
    """Runs protoc on `messages.proto`.

    Args:
        outputs: protoc's output options, for example `--python_out=DIR`.

    Raises:
        RuntimeError: protoc refused; its own message is on stderr.
    """
    from grpc_tools import protoc  # type: ignore[import-untyped]

    includes = [f"-I{ROOT}", f"-I{resources.files('grpc_tools') / '_proto'}"]
    if protoc.main(["protoc", *includes, *outputs, str(PROTO)]) != 0:
        raise RuntimeError(f"protoc could not compile {PROTO}")


def generate(root: Path = ROOT) -> None:
    """Writes the generated files below `root`."""
    compile_proto(f"--python_out={root}", f"--pyi_out={root}")
    stub = root / "serving" / "wire" / "messages_pb2.pyi"
    # protoc's own stubs leave out type arguments that a strict check asks for.
    stub.write_text("# mypy: ignore-errors\n" + stub.read_text())


if __name__ == "__main__":
    generate()
