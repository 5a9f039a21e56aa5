"""Reads JSON bodies: inputs of a signature for predict, `Example`s for classify and regress.

The standard library parses the text, within a memory limit. As in TensorFlow Serving 2.20.0, `NaN`
and `Infinity` are numbers, the first of duplicate names counts, bytes that are not UTF-8 are kept,
and text after the document is ignored.

A prediction has its inputs in row form (`instances`) or in column form (`inputs`). The kind of an
example's feature follows from its JSON values: a number with a decimal point is a float, one
without is an integer, which a graph that wants floats refuses (recorded cases 302 to 318).
"""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from serving.local.errors import StatusError, invalid_argument
from serving.local.inference.dataplane import Signatures
from serving.local.rest.json_tensors import describe, is_named, string_bytes, tensor
from serving.local.rest.request import HttpError, Request
from serving.wire import messages_pb2 as pb
from serving.wire.methods import DEFAULT_SIGNATURE
from serving.wire.tensors import Array

Infos = Mapping[str, pb.TensorInfo]

INSTANCES, INPUTS = "instances", "inputs"
EXAMPLES, CONTEXT = "examples", "context"
_INTEGERS = range(-(2**63), 2**64)

MAX_VALUES_BYTES = 320 * 2**20
"""Memory that one document may take; sixteen pictures as floats take 220 MB."""

_SMALL_BYTES = 2**20
"""Largest text that is parsed without an estimate of its memory, which is 40 MB at most."""

_COSTS = {b"{": 240, b"[": 96, b",": 40, b":": 130, b'"': 32}
"""Bytes of memory for each of these characters in a text (CPython 3.11 to 3.13, 64 bits)."""

# The parser holds the GIL, so more simultaneous parsers would save no time and only take memory.
_SMALL_ONES = threading.Semaphore(4)
_ONE_LARGE = threading.Lock()

_DECODER = json.JSONDecoder(
    object_pairs_hook=lambda members: dict(reversed(members)),
    # Another type than `float`, which is infinite for numbers that are too big.
    parse_constant=np.float64,
)


def read_predict(request: Request, signatures: Signatures) -> tuple[str, dict[str, Array], bool]:
    """Parses the body of a prediction, and converts the inputs to the signature's types.

    Returns the signature's name, arrays by input name, and whether the body is in row form, which
    the reply then uses too. Raises `StatusError` if the body is not JSON or too large, the
    signature is unknown, or the values do not fit it.
    """
    with parsed(request) as document:
        name = _signature_name(document)
        if name not in signatures or not signatures[name].inputs:
            raise invalid_argument(f'The model has no signature "{name}" with inputs.')
        return name, _inputs(document, signatures[name].inputs), INSTANCES in document


def read_examples(request: Request) -> tuple[str, pb.Input]:
    """Returns the signature's name and the examples of a classify or regress body.

    Raises `StatusError` if the body is not JSON, has no examples, or is too large.
    """
    with parsed(request) as document:
        return _signature_name(document), _examples(document)


@contextmanager
def parsed(request: Request) -> Iterator[Any]:
    """Parses a body, whose values may be used inside the block; the body is released after it.

    Raises `StatusError` with the offset of a syntax error or after the deadline, `HttpError` 413
    if the values would take more than `MAX_VALUES_BYTES`.
    """
    text = request.body.take()
    large = len(text) > _SMALL_BYTES
    if large and _cost(text) > MAX_VALUES_BYTES:
        raise HttpError(413, f"The JSON values take more than {MAX_VALUES_BYTES} bytes of memory.")
    with _ONE_LARGE if large else _SMALL_ONES:
        request.deadline.require()
        try:
            if large:
                # Millions of new lists trigger dozens of searches for cycles, which JSON lacks.
                gc.disable()
            yield _parse(text)
        finally:
            if large:
                gc.enable()
    request.body.release()


def _cost(text: bytearray) -> int:
    # One character above U+FFFF makes all characters of a string four bytes wide. The text is such
    # a string, and its longest value may be another one of nearly the same length.
    letters = 2 * len(text) * (1 if text.isascii() else 4)
    return letters + sum(cost * text.count(mark) for mark, cost in _COSTS.items())


def _parse(text: bytearray) -> Any:
    decoded = text.decode("utf-8", "surrogateescape").removeprefix("\ufeff").lstrip(" \t\r\n")
    text.clear()
    try:
        return _DECODER.raw_decode(decoded)[0]
    except RecursionError:
        reason = "The document is nested too deeply."
    except ValueError as error:
        reason = str(error)
    raise invalid_argument(f"JSON Parse error: {reason}")


def _signature_name(document: Any) -> str:
    if not isinstance(document, dict):
        raise invalid_argument(f"Expected a JSON object. Received: {describe(document)}.")
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(f"Expected a string 'signature_name'. Received: {describe(name)}.")
    return name or DEFAULT_SIGNATURE


def _listed(document: dict[str, Any], key: str, method: str) -> list[Any]:
    """Returns the non-empty list at a key, or raises `StatusError`."""
    values = document.get(key, document)
    if not isinstance(values, list) or not values:
        text = f"To {method}, a list with values is expected at key '{key}'"
        raise invalid_argument(f"{text}. Received: {describe(values)}.")
    return values


def _inputs(document: dict[str, Any], infos: Infos) -> dict[str, Array]:
    if (INSTANCES in document) == (INPUTS in document):
        raise invalid_argument(f"Expected one of the keys '{INPUTS}' and '{INSTANCES}'.")
    if INPUTS in document:
        return _tensors(document[INPUTS], infos)
    try:
        return _tensors(_transposed(_listed(document, INSTANCES, "predict"), infos), infos)
    except StatusError as error:
        # Any error in a row makes the request invalid, even an unsupported type (case 044).
        raise invalid_argument(f"'{INSTANCES}': {error.message}") from error


def _transposed(rows: list[Any], infos: Infos) -> Any:
    """Returns values by input name if the rows are objects, otherwise the rows unchanged."""
    named = is_named(rows[0])
    expected = f"keys equal to {','.join(sorted(infos))}" if named else "a value or a list"
    for number, row in enumerate(rows):
        if is_named(row) != named or (named and row.keys() != infos.keys()):
            text = f"Expected {expected} as item {number}"
            raise invalid_argument(f"{text}. Received: {describe(row)}.")
    return {name: [row[name] for row in rows] for name in infos} if named else rows


def _tensors(values: Any, infos: Infos) -> dict[str, Array]:
    """Returns arrays by input name, from an object of named inputs or a single input's values."""
    if not is_named(values):
        if len(infos) > 1:
            raise invalid_argument(f"Expected the inputs by name: {','.join(sorted(infos))}.")
        values = dict.fromkeys(infos, values)
    if missing := infos.keys() - values.keys():
        raise invalid_argument(f"Missing named input: {','.join(sorted(missing))}.")
    return {name: tensor(values[name], name, info) for name, info in infos.items()}


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
            try:
                _add(feature, element)
            except (ValueError, OverflowError) as error:
                text = f"Feature: {name} has an element of unexpected type: {describe(element)}"
                raise invalid_argument(f"{text} ({error})") from None


def _add(feature: pb.Feature, value: Any) -> None:
    """Appends a value; `ValueError` or `OverflowError` if it does not fit the earlier ones."""
    if isinstance(value, float) or (type(value) is int and value not in _INTEGERS):
        kind = "float_list"
    elif isinstance(value, int):
        kind, value = "int64_list", int(value)  # A bool is 0 or 1.
    else:
        kind, value = "bytes_list", string_bytes(value)
    if feature.WhichOneof("kind") not in (None, kind):
        raise ValueError(f"among {feature.WhichOneof('kind')}")
    getattr(feature, kind).value.append(value)
