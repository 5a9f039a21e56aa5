"""The body of a REST classify or regress call: JSON to `Example`s, results to JSON.

The kind of a feature follows from its JSON values: a number with a decimal point is a float, one
without is an integer, which a graph that wants floats refuses (recorded cases 302 to 318).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from serving.local.errors import invalid_argument
from serving.local.json_arrays import is_base64, string_bytes
from serving.local.json_faults import format_error, json_type, parse_request
from serving.local.json_members import members_of
from serving.local.json_numbers import INDENT, float32_text, is_double, string_text
from serving.wire import messages_pb2 as pb

EXAMPLES, CONTEXT = "examples", "context"
_INT64_MAX = 2**63 - 1


def read_examples(text: bytes) -> tuple[str, pb.Input]:
    """Parses a body.

    Returns:
        The signature's name, empty for the default, and the examples.

    Raises:
        StatusError: it is not JSON, or not examples.
    """
    signature_name, document = parse_request(text)
    examples = pb.Input()
    target: Any = examples.example_list
    if CONTEXT in document:
        target = examples.example_list_with_context
        _fill(target.context, document[CONTEXT])
    for value in _listed(document):
        _fill(target.examples.add(), value)
    return signature_name, examples


def _listed(document: dict[str, Any]) -> list[Any]:
    if EXAMPLES not in document:
        text = f"When method is classify, key '{EXAMPLES}' is expected and was not found"
        raise format_error(document, text)
    listed = document[EXAMPLES]
    if not isinstance(listed, list):
        raise format_error(listed, f"Expecting '{EXAMPLES}' value to be an list/array")
    if not listed:
        raise format_error(document, f"'{EXAMPLES}' value is an empty array")
    return listed


def _fill(example: pb.Example, value: Any) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {json_type(value)}")
    example.features.SetInParent()
    for name, content in members_of(value):
        feature = example.features.feature[name]
        # Of a name that comes twice the last counts.
        feature.Clear()
        for element in content if isinstance(content, list) else [content]:
            _add(feature, name, element)


def _add(feature: pb.Feature, name: str, value: Any) -> None:
    kind = _kind(name, value)
    present = feature.WhichOneof("kind")
    if present not in (None, kind):
        expected = str(present).removesuffix("_list")
        text = f"Unexpected element type in feature: {name} expecting type: {expected}"
        raise invalid_argument(text)
    getattr(feature, kind).value.append(_converted(name, value, kind))


def _kind(name: str, value: Any) -> str:
    """The field of `Feature` that a JSON value belongs to."""
    if is_double(value):
        return "float_list"
    if isinstance(value, (bool, int)):
        return "int64_list"
    if isinstance(value, str) or is_base64(value):
        return "bytes_list"
    text = f"Feature: {name} has element with unexpected JSON type: {json_type(value)}"
    raise invalid_argument(text)


def _converted(name: str, value: Any, kind: str) -> Any:
    """What to put into that field."""
    if kind == "float_list":
        return _float32(value)
    if kind == "bytes_list":
        return _bytes(value)
    if value > _INT64_MAX:
        text = f"Feature: {name} has uint64 element. Only int64 is supported."
        raise invalid_argument(text)
    return int(value)


def _float32(value: int | float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(float(value)))


def _bytes(value: Any) -> bytes:
    decoded = string_bytes(value)
    if decoded is None:
        raise invalid_argument("Unable to base64 decode")
    return decoded


def results(result: pb.ClassificationResult | pb.RegressionResult) -> bytes:
    """The reply: pairs of label and score, or values, one entry per example."""
    if isinstance(result, pb.RegressionResult):
        body = ", ".join(float32_text(entry.value) for entry in result.regressions)
        return f'{{\n{INDENT}"results": [{body}]\n}}'.encode()
    body = ", ".join(_pairs(entry) for entry in result.classifications)
    return f'{{\n{INDENT}"results": [{body}\n{INDENT}]\n}}'.encode("utf-8", "surrogateescape")


def _pairs(entry: pb.Classifications) -> str:
    pairs = [
        f"[{string_text(scored.label)}, {float32_text(scored.score)}]" for scored in entry.classes
    ]
    return f"[{', '.join(pairs)}]"
