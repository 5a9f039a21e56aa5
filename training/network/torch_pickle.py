"""Reads a PyTorch state dict in the legacy format without PyTorch.

The ImageNet weights of EfficientNet-Lite0 exist as a package only in this format. Reading it here
keeps PyTorch (800 MB) out of the installation, and a converted copy (18 MB) out of the repository.

The format, as `torch.save(..., _use_new_zipfile_serialization=False)` writes it: five pickles one
after another (magic number, protocol version, system facts, the object, the storage keys), then for
each key an 8-byte little-endian element count and the raw elements. The object refers to storages
by persistent ids `("storage", type, key, location, elements, view)` and rebuilds tensors from them
by `torch._utils._rebuild_tensor_v2(storage, offset, shape, stride, ...)`.
"""

import collections
import pickle
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


class _Tensor(NamedTuple):
    """A tensor whose elements come later in the file."""

    key: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Returns the arrays of a state dict by name, in the file's order.

    Only the few names that a state dict needs are looked up while unpickling, so a hostile file
    cannot run code.

    Raises:
        ValueError: the file is no legacy-format state dict of float32 and int64 tensors.
    """
    with path.open("rb") as file:
        try:
            return _read(file)
        except (pickle.UnpicklingError, EOFError, AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is no PyTorch state dict in the legacy format: {error}"
            ) from error


def _read(file: BinaryIO) -> dict[str, NDArray[Any]]:
    storages: dict[str, np.dtype[Any]] = {}
    magic, _version, _system, tensors, keys = (_Unpickler(file, storages).load() for _ in range(5))
    if magic != _MAGIC:
        raise pickle.UnpicklingError(f"magic number {magic!r}, expected {_MAGIC:#x}")
    elements = {key: _read_storage(file, storages[key]) for key in keys}
    return {name: _slice(elements[tensor.key], tensor) for name, tensor in tensors.items()}


def _read_storage(file: BinaryIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype, count)


def _slice(elements: NDArray[Any], tensor: _Tensor) -> NDArray[Any]:
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride, strict=True))
    if not 0 <= tensor.offset + last < len(elements):
        raise pickle.UnpicklingError(f"{tensor} does not lie within its {len(elements)} elements")
    strides = [step * elements.itemsize for step in tensor.stride]
    view = as_strided(elements[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.ascontiguousarray(view).reshape(tensor.shape)


class _Unpickler(pickle.Unpickler):
    """Resolves the names that a state dict needs, and rejects all others."""

    def __init__(self, file: BinaryIO, storages: dict[str, np.dtype[Any]]) -> None:
        super().__init__(file)
        self._storages = storages

    def persistent_load(self, pid: Any) -> str:
        _, kind, key, *_ = pid
        self._storages[key] = _DTYPES[kind]
        return str(key)

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            **{("torch", storage): storage for storage in _DTYPES},
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"unexpected name {module}.{name}")
        return known[module, name]


def _rebuild_tensor(
    key: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_rest: object
) -> _Tensor:
    return _Tensor(key, offset, tuple(shape), tuple(stride))
