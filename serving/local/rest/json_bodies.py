"""JSON bodies: of a prediction to the call of a signature, of classify and regress to `Example`s.

A prediction has its inputs in row form (`instances`) or in column form (`inputs`). The kind of an
example's feature follows from its JSON values: a number with a decimal point is a float, one
without is an integer, which a graph that wants floats refuses (recorded cases 302 to 318).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from serving.local.errors import StatusError, invalid_argument
from serving.local.inference.dataplane import Signatures
from serving.local.rest.json_tensors import describe, is_base64, is_named, string_bytes, tensor
from serving.local.rest.json_text import parsed
from serving.local.rest.request import Request
from serving.wire import messages_pb2 as pb
from serving.wire.methods import DEFAULT_SIGNATURE
from serving.wire.tensors import Array

Infos = Mapping[str, pb.TensorInfo]

INSTANCES, INPUTS = "instances", "inputs"
EXAMPLES, CONTEXT = "examples", "context"
_INTEGERS = range(-(2**63), 2**64)


def read_predict(request: Request, signatures: Signatures) -> tuple[str, dict[str, Array], bool]:
    """Parses the body of a prediction, and reads the inputs as the signature wants them.

    Returns:
        The signature's name, arrays by input name, and whether they came in row form, which the
        reply is to have too.

    Raises:
        StatusError: not JSON, unknown signature, or values that do not fit it or are too large.
    """
    with _document(request) as (name, document):
        return name, _inputs(document, _infos(signatures, name)), INSTANCES in document


def read_examples(request: Request) -> tuple[str, pb.Input]:
    """Parses the body of a classify or regress call: the signature's name, and the examples.

    Raises `StatusError` where it is not JSON, not examples, or too large.
    """
    with _document(request) as (name, document):
        return name, _examples(document)


@contextmanager
def _document(request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of the signature and the whole document; the body is free afterwards."""
    with parsed(request.body.take(), request.deadline.require) as document:
        request.deadline.require()
        if not isinstance(document, dict):
            raise invalid_argument(f"JSON Value: expected an object, received {describe(document)}")
        name = document.get("signature_name", "")
        if not isinstance(name, str):
            text = f"'signature_name' key must be a string value, received {describe(name)}"
            raise invalid_argument(text)
        yield name or DEFAULT_SIGNATURE, document
    request.body.release()


def _listed(document: dict[str, Any], key: str, method: str) -> list[Any]:
    """The list, not an empty one, that a key has; else `StatusError`."""
    values = document.get(key)
    if not isinstance(values, list) or not values:
        found = describe(values) if key in document else f"keys {', '.join(document)}"
        text = f"To {method}, a list with values is expected at key '{key}'. Received: {found}."
        raise invalid_argument(text)
    return values


def _infos(signatures: Signatures, name: str) -> Infos:
    if name not in signatures:
        raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
    if not signatures[name].inputs:
        raise invalid_argument(f"Failed to get input map for signature: {name}")
    return signatures[name].inputs


def _inputs(document: dict[str, Any], infos: Infos) -> dict[str, Array]:
    if (INSTANCES in document) == (INPUTS in document):
        raise invalid_argument(f"Expected one of the keys '{INPUTS}' and '{INSTANCES}'.")
    if INPUTS in document:
        return _columns(document[INPUTS], infos)
    columns = _transposed(_listed(document, INSTANCES, "predict"), infos)
    try:
        return {name: tensor(column, name, infos[name].dtype) for name, column in columns.items()}
    except StatusError as error:
        # Whatever is wrong with a row is the request's fault, an unknown type too (case 044).
        raise invalid_argument(f"Failed to process 'instances' list: {error.message}") from error


def _transposed(instances: list[Any], infos: Infos) -> dict[str, list[Any]]:
    """The rows' values by input name; each row is an object, or each the value of one input."""
    named = is_named(instances[0])
    for number, item in enumerate(instances):
        if is_named(item) != named:
            expected = "an object" if named else "a value or a list"
            text = f"Expecting {expected} as item {number} of 'instances' list"
            raise invalid_argument(f"{text}, received {describe(item)}")
        if named and item.keys() != infos.keys():
            expected, found = ",".join(sorted(infos)), ",".join(sorted(item))
            text = f"Expecting keys equal to {expected} at item {number} of 'instances' list"
            raise invalid_argument(f"{text}, found {found}")
    if named:
        return {name: [item[name] for item in instances] for name in infos}
    return {_only(infos, INSTANCES): instances}


def _columns(value: Any, infos: Infos) -> dict[str, Array]:
    if not is_named(value):
        value = {_only(infos, INPUTS): value}
    if missing := infos.keys() - value.keys():
        names = ",".join(sorted(missing))
        raise invalid_argument(f"Missing named input: {names} in 'inputs' object.")
    return {name: _column(value[name], name, info) for name, info in infos.items()}


def _column(value: Any, name: str, info: pb.TensorInfo) -> Array:
    """The array of an input; `[]` is no rows of the signature's shape (recorded case 124)."""
    array = tensor(value, name, info.dtype)
    sizes = [dim.size for dim in info.tensor_shape.dim]
    if array.shape != (0,) or sizes[:1] != [-1]:
        return array
    return array.reshape(0, *(max(size, 0) for size in sizes[1:]))


def _only(infos: Infos, key: str) -> str:
    if len(infos) > 1:
        names = ",".join(sorted(infos))
        raise invalid_argument(f"{key} without names, where several inputs are required: {names}")
    return next(iter(infos))


def _examples(document: dict[str, Any]) -> pb.Input:
    examples = pb.Input()
    target: Any = examples.example_list
    if CONTEXT in document:
        target = examples.example_list_with_context
        _fill(target.context, document[CONTEXT])
    for value in _listed(document, EXAMPLES, "classify or regress"):
        _fill(target.examples.add(), value)
    return examples


def _fill(example: pb.Example, value: Any) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got {describe(value)}")
    example.features.SetInParent()
    for name, content in value.items():
        feature = example.features.feature[name]
        for element in content if isinstance(content, list) else [content]:
            _add(feature, name, element)


def _add(feature: pb.Feature, name: str, value: Any) -> None:
    field = _kind(value)
    wanted = feature.WhichOneof("kind") or field
    kind = wanted.removesuffix("_list")
    if field != wanted or not field:
        text = f"Feature: {name} has an element of unexpected type: {describe(value)}"
        raise invalid_argument(f"{text} among {kind}" if kind else text)
    try:
        element = string_bytes(value) if kind == "bytes" else value + 0  # A truth is 0 or 1.
        getattr(feature, field).value.append(element)
    except (ValueError, OverflowError) as error:
        text = f"Feature: {name} has an element that {kind} cannot hold: {error}"
        raise invalid_argument(text) from None


def _kind(value: Any) -> str:
    """The field of `Feature` that a JSON value belongs to; empty for none."""
    if isinstance(value, float) or (type(value) is int and value not in _INTEGERS):
        return "float_list"
    if isinstance(value, int):
        return "int64_list"
    return "bytes_list" if isinstance(value, str) or is_base64(value) else ""
