"""Converts arrays, results and version states to the JSON of replies."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from serving.local.errors import Code, invalid_argument
from serving.local.inference.signature import type_name
from serving.wire import messages_pb2 as pb
from serving.wire.methods import BYTES_SUFFIX, SIGNATURE_FIELD
from serving.wire.tensors import Array, data_type

_WITHOUT_JSON = {pb.DT_HALF, pb.DT_BFLOAT16, pb.DT_UINT16, pb.DT_COMPLEX64, pb.DT_COMPLEX128}


def predictions(outputs: Mapping[str, Array], *, row_form: bool) -> bytes:
    """Returns the reply to a prediction, from arrays by output name.

    The row form has an entry per row at `predictions`, the column form one per output at `outputs`.
    Raises `StatusError` if the row form's outputs differ in rows, or for a type without JSON form.
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    rows = {name: array.shape[:1] for name, array in outputs.items()}
    if row_form and (() in rows.values() or len(set(rows.values())) > 1):
        raise invalid_argument(f"Tensors have no common batch size: {rows}")
    values: Any = {name: _values(name, array) for name, array in outputs.items()}
    if len(values) == 1:
        (values,) = values.values()
    elif row_form:
        values = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return _dumped({"predictions" if row_form else "outputs": values})


def results(result: pb.ClassificationResult | pb.RegressionResult) -> bytes:
    """Returns the reply to a classification or regression: pairs of label and score, or values."""
    if isinstance(result, pb.RegressionResult):
        return _dumped({"results": [_short(entry.value) for entry in result.regressions]})
    entries = result.classifications
    pairs = [[[_text(c.label), _short(c.score)] for c in entry.classes] for entry in entries]
    return _dumped({"results": pairs})


def error(message: str) -> bytes:
    """Returns the body of an error; in ASCII, since it may quote bytes that are not UTF-8."""
    return json.dumps({"error": message}).encode()


def status(versions: Sequence[pb.ModelVersionStatus]) -> bytes:
    """Returns the states of versions (recorded case 250)."""
    reply = _fields(pb.GetModelStatusResponse(model_version_status=versions))
    for entry, version in zip(reply["model_version_status"], versions, strict=True):
        entry["status"]["error_code"] = Code(version.status.error_code).name
    return _dumped(reply)


def metadata(model: str, version: int, signatures: Mapping[str, pb.SignatureDef]) -> bytes:
    """Returns a version's signatures (recorded case 265)."""
    spec = pb.ModelSpec(name=model)
    spec.version.value = version
    fields = _fields(pb.SignatureDefMap(signature_def=signatures))
    return _dumped({"model_spec": _fields(spec), "metadata": {SIGNATURE_FIELD: fields}})


def _fields(message: Message) -> dict[str, Any]:
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _dumped(value: Any) -> bytes:
    """Serializes to JSON; bytes in strings that are not UTF-8 are kept (recorded case 026)."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _values(name: str, array: Array) -> Any:
    """Returns an array as nested lists; an array without dimensions as one value."""
    dtype = data_type(array)
    if dtype in _WITHOUT_JSON and array.size:
        text = f"Failed to write JSON value for tensor type: {type_name(dtype)}"
        raise invalid_argument(f"{text}, output {name}")
    if dtype == pb.DT_STRING:
        write = np.frompyfunc(_base64 if name.endswith(BYTES_SUFFIX) else _text, 1, 1)
        return np.asarray(write(array), np.object_).tolist()
    if dtype == pb.DT_FLOAT:
        # Through the shortest text, so that 0.991 is not printed as 0.9909999966621399.
        return array.astype("U").astype(np.float64).tolist()
    return array.tolist()


def _short(value: float) -> float:
    return float(str(np.float32(value)))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": b64encode(value).decode()}
