"""Arrays and states to JSON, laid out as the original lays it out."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict

from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.json_numbers import (
    INDENT,
    float32_text,
    float64_text,
    quoted,
    string_text,
)
from serving.local.predict import type_name
from serving.wire import messages_pb2 as pb
from serving.wire.methods import BYTES_SUFFIX, SIGNATURE_FIELD
from serving.wire.tensors import Array, data_type

MANY = 10_000
"""Values from which on it pays to look for those that repeat."""

_UNSAFE = re.compile("[<>\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")

_TEXTS: dict[int, Callable[[Any], str]] = {
    pb.DT_FLOAT: float32_text, pb.DT_DOUBLE: float64_text, pb.DT_STRING: string_text,
    pb.DT_BOOL: lambda value: "true" if value else "false",
    **dict.fromkeys((pb.DT_INT32, pb.DT_INT16, pb.DT_INT8, pb.DT_UINT8, pb.DT_INT64,
                     pb.DT_UINT32, pb.DT_UINT64), str),
}  # fmt: skip


def predictions(outputs: Mapping[str, Array], *, row_form: bool) -> bytes:
    """The reply to a prediction.

    Args:
        outputs: arrays by output name.
        row_form: one entry per row under `predictions`, else one per output under `outputs`.

    Raises:
        StatusError: row form of outputs without a common first dimension (recorded case 051), or
            a type that JSON cannot carry.
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    return (_rows(outputs) if row_form else _columns(outputs)).encode("utf-8", "surrogateescape")


def error(message: str) -> bytes:
    """The body of every error."""
    text = f'{{\n{INDENT}"error": {quoted(message)}\n}}'
    return text.encode("utf-8", "surrogateescape")


def status(versions: Sequence[pb.ModelVersionStatus]) -> bytes:
    """States of versions (recorded case 250); version numbers are strings."""
    entries = [
        {
            "version": str(version.version),
            "state": pb.ModelVersionStatus.State.Name(version.state),
            "status": {
                "error_code": Code(version.status.error_code).name,
                "error_message": version.status.error_message,
            },
        }
        for version in versions
    ]
    return f"{_one_space({'model_version_status': entries})}\n".encode()


def metadata(model: str, version: int, signatures: pb.SignatureDefMap) -> bytes:
    """A version's signatures (recorded case 265), joined from two texts as the original does."""
    spec = pb.ModelSpec(name=model)
    spec.version.value = version
    head, body = _one_space(_fields(spec)), _one_space(_fields(signatures))
    text = f'{{\n"model_spec":{head}\n,\n"metadata": {{"{SIGNATURE_FIELD}": {body}\n}}\n}}\n'
    return text.encode()


def _fields(message: Any) -> dict[str, Any]:
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _one_space(value: Any) -> str:
    """JSON as protobuf 3 prints it, which escapes what HTML or a terminal would act on."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _rows(outputs: Mapping[str, Array]) -> str:
    count = _common_rows(outputs)
    named = len(outputs) > 1
    texts = {name: _row_texts(name, array, named) for name, array in outputs.items()}
    if not count:
        return f'{{\n{INDENT}"predictions": []\n}}'
    if not named:
        (rows,) = texts.values()
        return f'{{\n{INDENT}"predictions": [{", ".join(rows)}\n{INDENT}]\n}}'
    items = ",\n".join(_row_object(texts, row) for row in range(count))
    return f'{{\n{INDENT}"predictions": [\n{items}\n{INDENT}]\n}}'


def _common_rows(outputs: Mapping[str, Array]) -> int:
    count: int | None = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if count is not None and count != array.shape[0]:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {array.shape[0]} "
                f"expecting: {count}"
            )
        count = array.shape[0]
    return count or 0


def _row_texts(name: str, array: Array, named: bool) -> list[str]:
    texts = _leaf_texts(name, array, level=array.ndim + (2 if named else 1))
    for size in reversed(array.shape[1:]):
        count = len(texts) // size if size else _count(array)
        texts = [f"[{', '.join(texts[i * size : (i + 1) * size])}]" for i in range(count)]
    return texts


def _count(array: Array) -> int:
    """Number of empty lists that stand for an array without elements."""
    sizes = array.shape[: array.shape.index(0)]
    product = 1
    for size in sizes:
        product *= size
    return product


def _row_object(texts: Mapping[str, list[str]], row: int) -> str:
    members = ",\n".join(f"{INDENT * 3}{quoted(name)}: {rows[row]}" for name, rows in texts.items())
    return f"{INDENT * 2}{{\n{members}\n{INDENT * 2}}}"


def _columns(outputs: Mapping[str, Array]) -> str:
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        return f'{{\n{INDENT}"outputs": {_column(name, array, 1)}\n}}'
    members = ",\n".join(
        f"{INDENT * 2}{quoted(name)}: {_column(name, array, 2)}" for name, array in outputs.items()
    )
    return f'{{\n{INDENT}"outputs": {{\n{members}\n{INDENT}}}\n}}'


def _column(name: str, array: Array, level: int) -> str:
    texts = iter(_leaf_texts(name, array, level=level + array.ndim))
    return _lines(texts, array.shape, level)


def _lines(texts: Any, shape: tuple[int, ...], level: int) -> str:
    if not shape:
        return str(next(texts))
    if shape[0] == 0:
        return "[]"
    inner = INDENT * (level + 1)
    items = (inner + _lines(texts, shape[1:], level + 1) for _ in range(shape[0]))
    return "[\n" + ",\n".join(items) + f"\n{INDENT * level}]"


def _leaf_texts(name: str, array: Array, level: int) -> list[str]:
    if not array.size:
        return []
    number = data_type(array)
    if number not in _TEXTS:
        text = f"Failed to write JSON value for tensor type: {type_name(number)}"
        raise StatusError(Code.INVALID_ARGUMENT, text)
    write = _TEXTS[number]
    if number == pb.DT_STRING and name.endswith(BYTES_SUFFIX):
        outer = INDENT * level
        return [_base64(value, outer) for value in array.ravel().tolist()]
    if array.dtype.kind == "f" and array.size > MANY:
        return _repeated(array, write)
    return [write(value) for value in array.ravel().tolist()]


def _repeated(array: Array, write: Callable[[Any], str]) -> list[str]:
    """Writes each value once; by its bits, since zero has two signs."""
    bits = np.ascontiguousarray(array).ravel().view(f"u{array.dtype.itemsize}")
    distinct, places = np.unique(bits, return_inverse=True)
    texts = [write(value) for value in distinct.view(array.dtype).tolist()]
    return list(map(texts.__getitem__, places.tolist()))


def _base64(value: bytes, outer: str) -> str:
    return f'{{\n{outer}{INDENT}"b64": "{b64encode(value).decode()}"\n{outer}}}'
