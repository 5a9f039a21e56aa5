"""The body of a REST prediction: JSON in row or column form to arrays, arrays to JSON.

Well-formed lists take a short way through numpy. Where that finds anything unusual, the long way
goes through the values one by one in the original's order and names the first fault as the
original does (recorded cases 033 to 048 and 100 to 142).
"""

from __future__ import annotations

import binascii
import itertools
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.local.dataplane import Call, Signatures
from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.json_numbers import value_text
from serving.local.json_text import parse
from serving.local.predict import type_name
from serving.wire import messages_pb2 as pb
from serving.wire.methods import DEFAULT_SIGNATURE
from serving.wire.tensors import MAX_RANK, Array

Infos = Mapping[str, pb.TensorInfo]

_INT32, _INT64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_RANGES: dict[int, tuple[int, int]] = {
    pb.DT_INT32: _INT32, pb.DT_INT16: _INT32, pb.DT_INT8: _INT32, pb.DT_UINT8: _INT32,
    pb.DT_INT64: _INT64, pb.DT_UINT32: (0, 2**32 - 1), pb.DT_UINT64: (0, 2**64 - 1),
}  # fmt: skip
_NUMPY: dict[int, Any] = {
    pb.DT_FLOAT: np.float32, pb.DT_DOUBLE: np.float64, pb.DT_BOOL: np.bool_,
    pb.DT_INT32: np.int32, pb.DT_INT16: np.int16, pb.DT_INT8: np.int8, pb.DT_UINT8: np.uint8,
    pb.DT_INT64: np.int64, pb.DT_UINT32: np.uint32, pb.DT_UINT64: np.uint64,
    pb.DT_STRING: np.object_,
}  # fmt: skip
_FLOATS = (pb.DT_FLOAT, pb.DT_DOUBLE)


class PredictBody:
    """A parsed body; what its values mean depends on the signature.

    Attributes:
        row_form: whether the reply is to be in row form too; known once `call` was made.
    """

    def __init__(self, text: bytes) -> None:
        """Parses the text.

        Raises:
            StatusError: it is not JSON, not an object, or `signature_name` is not a string.
        """
        self._document = parse(text)
        if not isinstance(self._document, dict):
            raise _format_error(self._document, "Is not object")
        self._signature_name = self._document.get("signature_name", DEFAULT_SIGNATURE)
        if not isinstance(self._signature_name, str):
            text_ = "not formatted correctly. 'signature_name' key must be a string value."
            raise _format_error(self._document, text_)
        self.row_form = "instances" in self._document

    def call(self, signatures: Signatures) -> Call:
        """Reads the inputs as the signature wants them.

        Raises:
            StatusError: unknown signature, or values that do not fit it.
        """
        name = self._signature_name or DEFAULT_SIGNATURE
        if name not in signatures:
            raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
        infos = signatures[name].inputs
        if not infos:
            raise invalid_argument(f"Failed to get input map for signature: {name}")
        return Call(name, self._inputs(infos))

    def _inputs(self, infos: Infos) -> dict[str, Array]:
        document = self._document
        if "instances" in document:
            if "inputs" in document:
                text = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys"
                raise _format_error(document, f"{text} to exist ")
            if not isinstance(document["instances"], list):
                raise _format_error(document, "Expecting 'instances' to be an list/array")
            if not document["instances"]:
                raise _format_error(document, "No values in 'instances' array")
            return _rows(document["instances"], infos)
        if "inputs" in document:
            return _columns(document["inputs"], infos)
        raise invalid_argument("Missing 'inputs' or 'instances' key")


def _rows(instances: list[Any], infos: Infos) -> dict[str, Array]:
    named = _is_named(instances[0])
    if not named and len(infos) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    columns = _transpose(instances, infos) if named else {next(iter(infos)): instances}
    arrays = {name: _dense(column, infos[name].dtype) for name, column in columns.items()}
    complete = {name: array for name, array in arrays.items() if array is not None}
    if len(complete) == len(infos) and (named or not any(map(_is_named, instances))):
        return complete
    for name, column in columns.items():
        _require_rank(column, name)
    raise _fault_in_rows(instances, infos, named)


def _transpose(instances: list[Any], infos: Infos) -> dict[str, list[Any]]:
    if any(not _is_named(item) or item.keys() != infos.keys() for item in instances):
        return {}
    return {name: [item[name] for item in instances] for name in infos}


def _columns(value: Any, infos: Infos) -> dict[str, Array]:
    if _is_named(value):
        return {name: _column(value, name, info.dtype) for name, info in sorted(infos.items())}
    if len(infos) > 1:
        raise invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors "
            "required as per tensorinfo_map"
        )
    return {name: _tensor(value, name, info.dtype) for name, info in infos.items()}


def _column(values: dict[str, Any], name: str, dtype: int) -> Array:
    if name not in values:
        raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
    return _tensor(values[name], name, dtype)


def _tensor(value: Any, name: str, dtype: int) -> Array:
    array = _dense(value, dtype)
    if array is None:
        _require_rank(value, name)
        _check(value, _shape(value), 0, dtype)
        raise invalid_argument(f"tensor parsing error: {name}")
    return array


# ---- the short way ----


def _dense(value: Any, dtype: int) -> Array | None:
    """An array of the value, or None where anything is unusual."""
    shape: list[int] = []
    flat = [value]
    while flat and isinstance(flat[0], list):
        size = len(flat[0])
        if any(type(item) is not list or len(item) != size for item in flat):
            return None
        shape.append(size)
        flat = list(itertools.chain.from_iterable(flat))
    if len(shape) > MAX_RANK or dtype not in _NUMPY:
        return None
    converted = _convert(flat, dtype)
    return None if converted is None else converted.reshape(shape)


def _convert(flat: list[Any], dtype: int) -> Array | None:
    kinds = set(map(type, flat))
    if dtype == pb.DT_STRING:
        return _strings(flat) if kinds <= {str, dict} else None
    if dtype in _FLOATS and kinds <= {int, float}:
        return _floats(flat, dtype)
    if dtype == pb.DT_BOOL and kinds <= {bool}:
        return np.array(flat, np.bool_)
    if dtype in _RANGES and kinds <= {int}:
        return _integers(flat, dtype)
    return None


def _floats(flat: list[Any], dtype: int) -> Array | None:
    try:
        with np.errstate(over="ignore"):
            return np.array(flat, np.float64).astype(_NUMPY[dtype])
    except OverflowError:
        return None


def _integers(flat: list[int], dtype: int) -> Array | None:
    lowest, highest = _RANGES[dtype]
    if flat and (min(flat) < lowest or max(flat) > highest):
        return None
    wide = np.uint64 if dtype == pb.DT_UINT64 else np.int64
    return np.array(flat, wide).astype(_NUMPY[dtype])


def _strings(flat: list[Any]) -> Array | None:
    strings = np.empty(len(flat), np.object_)
    for position, item in enumerate(flat):
        if isinstance(item, dict) and not _is_base64(item):
            return None
        decoded = _string(item)
        if decoded is None:
            return None
        strings[position] = decoded
    return strings


def _string(item: str | dict[str, str]) -> bytes | None:
    if isinstance(item, str):
        return item.encode("utf-8", "surrogateescape")
    return _unbase64(item["b64"])


def _unbase64(text: str) -> bytes | None:
    """The standard alphabet; padding may be missing; None where it cannot be decoded."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        bare = "".join(text.split()).rstrip("=")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


# ---- the long way: find the first fault ----


def _fault_in_rows(instances: list[Any], infos: Infos, named: bool) -> StatusError:
    seen: dict[str, list[int]] = {}
    for number, item in enumerate(instances):
        if named != _is_named(item):
            expected, got = ("object", "list") if named else ("value/list", "object")
            text = f"Expecting {expected} but got {got} at item {number} of input list"
            return invalid_argument(text)
        members = item.items() if named else [(next(iter(infos)), item)]
        for name, value in members:
            try:
                _check_row(name, value, infos, seen)
            except StatusError as error:
                key = f" key: {name}" if named else ""
                return invalid_argument(f"Failed to process element: {number}{key}{_OF}{error}")
        if named and item.keys() != infos.keys():
            return invalid_argument(
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{value_text(item)} keys must be equal to: {','.join(sorted(infos))}"
            )
    return invalid_argument(f"tensor parsing error: {','.join(sorted(infos))}")


_OF = " of 'instances' list. Error: "


def _check_row(name: str, value: Any, infos: Infos, seen: dict[str, list[int]]) -> None:
    if name not in infos:
        raise invalid_argument(f"JSON object: does not have named input: {name}")
    shape = _shape(value)
    _check(value, shape, 0, infos[name].dtype)
    first = seen.setdefault(name, shape)
    size, expected = int(np.prod(shape)), int(np.prod(first))
    if size != expected:
        raise invalid_argument(f"Expecting tensor size: {expected} but got: {size}")
    if shape != first:
        raise invalid_argument(f"Expecting shape {_list(first)} but got: {_list(shape)}")


def _list(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _shape(value: Any) -> list[int]:
    """The shape that the first element of each level gives."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _require_rank(value: Any, name: str) -> None:
    if len(_shape(value)) > MAX_RANK:
        raise invalid_argument(f"tensor parsing error: {name}")


def _check(value: Any, shape: list[int], level: int, dtype: int) -> None:
    if not isinstance(value, list):
        _check_leaf(value, len(shape), level, dtype)
        return
    if level >= len(shape):
        text = f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        raise invalid_argument(text)
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for item in value:
        _check(item, shape, level + 1, dtype)


def _check_leaf(value: Any, rank: int, level: int, dtype: int) -> None:
    if level != rank:
        raise invalid_argument(
            f"JSON Value: {value_text(value)} found at incorrect level: {level + 1} "
            f"in the JSON DOM. Expected at level: {rank}"
        )
    if isinstance(value, dict):
        _check_object(value, dtype)
    elif dtype not in _NUMPY:
        text = f"Conversion of JSON Value: {value_text(value)} to type: {type_name(dtype)}"
        raise StatusError(Code.UNIMPLEMENTED, text)
    elif _convert([value], dtype) is None:
        raise _type_error(value, dtype)


def _check_object(value: dict[str, Any], dtype: int) -> None:
    if dtype != pb.DT_STRING:
        raise _type_error(value, dtype)
    if not _is_base64(value):
        raise _format_error(value, "not formatted correctly for base64 data")
    if _string(value) is None:
        raise invalid_argument("Unable to base64 decode")


def _type_error(value: Any, dtype: int) -> StatusError:
    text = f"Type: {_json_type(value)} is not of expected type: {type_name(dtype)}"
    return _format_error(value, text)


def _format_error(value: Any, text: str) -> StatusError:
    return invalid_argument(f"JSON Value: {value_text(value)} {text}")


def _json_type(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "Null", True: "True", False: "False"}[value]
    names = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}
    return names[type(value)]
