"""Checks that a version refuses invalid tensors; a model server passes on every tensor it gets.

TensorFlow Serving does not compare a tensor's shape with the signature. A version that does not
check shapes itself may answer nonsense, allocate gigabytes, or crash the process.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from serving.local.errors import Code, StatusError
from serving.rollout.checks.golden_set import BYTES_SIGNATURE, PHOTO
from serving.rollout.errors import Refused
from serving.wire import messages_pb2 as pb

if TYPE_CHECKING:
    from serving.wire.tensors import Array

_RANKS = range(6)
_HUGE = 8000

Ask = Callable[[str, "Mapping[str, Array]"], object]


def require_guards(signatures: Mapping[str, pb.SignatureDef], ask: Ask, largest_batch: int) -> None:
    """Sends a version wrong tensors; each must be refused as an invalid argument.

    Tries the inputs that declare the size of a dimension, and the pictures of `serve_bytes`. Other
    inputs declare nothing that a tensor could violate.

    Args:
        signatures: the version's signatures.
        ask: runs a signature: takes its name and inputs, raises `StatusError` to refuse them.
        largest_batch: the most rows that the version may accept.

    Raises:
        Refused: names the tensor that was not refused as an invalid argument.
    """
    for name, signature in signatures.items():
        if name.startswith("__"):
            continue
        for alias, info in signature.inputs.items():
            right = {other: _filled(i, _shape(i)) for other, i in signature.inputs.items()}
            for words, wrong in _wrong_values(name, alias, info, largest_batch):
                _require_refusal(ask, name, {**right, alias: wrong}, f"{alias} {words}")


def _require_refusal(ask: Ask, signature: str, inputs: Mapping[str, Array], words: str) -> None:
    try:
        ask(signature, inputs)
        found = "It was answered"
    except StatusError as error:
        if error.code == Code.INVALID_ARGUMENT:
            return
        found = f"The error was {error.code.name}: {error.message}"
    raise Refused(
        f"The version does not guard itself: {signature} should refuse {words} as an invalid"
        f" argument. {found}."
    )


def _wrong_values(
    signature: str, alias: str, info: pb.TensorInfo, largest_batch: int
) -> Iterator[tuple[str, Array]]:
    import numpy as np

    is_file = (signature, alias) == (BYTES_SIGNATURE, PHOTO)
    if is_file or any(dim.size > 0 for dim in info.tensor_shape.dim):
        declared = [dim.size for dim in info.tensor_shape.dim]
        # A picture, since a graph refuses an empty file whatever its number of rows.
        text = _black_png(8) if is_file else b""
        for shape in _wrong_shapes(declared, largest_batch):
            yield f"of shape {list(shape)}", _filled(info, shape, text)
    if is_file:
        png = f"with a PNG of {_HUGE} x {_HUGE} pixels"
        yield png, np.array([_black_png(_HUGE)], np.object_)


def _wrong_shapes(declared: Sequence[int], largest_batch: int) -> Iterator[tuple[int, ...]]:
    """Yields shapes of another rank, with another size of a dimension, or with too many rows."""
    right = [max(size, 1) for size in declared]
    for rank in _RANKS:
        if rank != len(right):
            yield (*right, *rank * [1])[:rank]
    for place, size in enumerate(declared):
        if size > 0:
            yield (*right[:place], size + 1, *right[place + 1 :])
            yield (*right[:place], size - 1, *right[place + 1 :])
    if declared and declared[0] < 0:
        yield (largest_batch + 1, *right[1:])


def _shape(info: pb.TensorInfo) -> tuple[int, ...]:
    return tuple(max(dim.size, 1) for dim in info.tensor_shape.dim)


def _filled(info: pb.TensorInfo, shape: tuple[int, ...], text: bytes = b"") -> Array:
    """Returns an array of zeros, or of a text where the input takes strings."""
    import numpy as np

    from serving.wire.tensors import empty

    array = empty(shape, info.dtype)
    if array is None:
        return np.zeros(shape, np.float32)
    array.fill(text if info.dtype == pb.DT_STRING else 0)
    return array


def _black_png(side: int) -> bytes:
    """Encodes a black PNG of one bit a pixel: a few kilobytes that decode to megabytes."""
    rows = zlib.compress(side * bytes(1 + side // 8), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    )
