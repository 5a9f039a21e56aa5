"""Finds the first fault of a body, the long way: value by value, in the original's order.

Texts are those of recorded cases 033 to 048 and 105 to 142.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.json_arrays import NUMPY_TYPES, convert, is_base64, is_named, string_bytes
from serving.local.json_members import members_of
from serving.local.json_numbers import value_text
from serving.local.json_text import parse
from serving.local.predict import require_rank, type_name
from serving.wire import messages_pb2 as pb

Infos = Mapping[str, pb.TensorInfo]

_OF = " of 'instances' list. Error: "


def parse_request(text: bytes) -> tuple[str, dict[str, Any]]:
    """Parses what the bodies of all calls have in common.

    Returns:
        The signature's name, empty where the body gives none, and the whole document.

    Raises:
        StatusError: it is not JSON, not an object, or `signature_name` is not a string.
    """
    document = parse(text)
    if not isinstance(document, dict):
        raise format_error(document, "Is not object")
    signature_name = document.get("signature_name", "")
    if not isinstance(signature_name, str):
        reason = "not formatted correctly. 'signature_name' key must be a string value."
        raise format_error(document, reason)
    return signature_name, document


def fault_in_rows(instances: list[Any], infos: Infos, named: bool) -> StatusError:
    """The first fault of a list of rows.

    Args:
        instances: the rows.
        infos: the signature's inputs by name.
        named: whether the first row is an object of named inputs.
    """
    seen: dict[str, list[int]] = {}
    for number, item in enumerate(instances):
        if named != is_named(item):
            expected, got = ("object", "list") if named else ("value/list", "object")
            text = f"Expecting {expected} but got {got} at item {number} of input list"
            return invalid_argument(text)
        members = members_of(item) if named else [(next(iter(infos)), item)]
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


def _check_row(name: str, value: Any, infos: Infos, seen: dict[str, list[int]]) -> None:
    if name not in infos:
        raise invalid_argument(f"JSON object: does not have named input: {name}")
    shape = shape_of(value)
    check(value, shape, 0, infos[name].dtype)
    first = seen.setdefault(name, shape)
    size, expected = int(np.prod(shape)), int(np.prod(first))
    if size != expected:
        raise invalid_argument(f"Expecting tensor size: {expected} but got: {size}")
    if shape != first:
        raise invalid_argument(f"Expecting shape {_list(first)} but got: {_list(shape)}")


def _list(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def shape_of(value: Any) -> list[int]:
    """The shape that the first element of each level gives."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def require_depth(value: Any, name: str) -> None:
    """Refuses nesting deeper than any tensor (recorded case 750)."""
    require_rank(len(shape_of(value)), name)


def check(value: Any, shape: list[int], level: int, dtype: int) -> None:
    """Raises the first fault of a value, read level by level, if it has one."""
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
        check(item, shape, level + 1, dtype)


def _check_leaf(value: Any, rank: int, level: int, dtype: int) -> None:
    if level != rank:
        raise invalid_argument(
            f"JSON Value: {value_text(value)} found at incorrect level: {level + 1} "
            f"in the JSON DOM. Expected at level: {rank}"
        )
    if isinstance(value, dict):
        _check_object(value, dtype)
    elif dtype not in NUMPY_TYPES:
        text = f"Conversion of JSON Value: {value_text(value)} to type: {type_name(dtype)}"
        raise StatusError(Code.UNIMPLEMENTED, text)
    elif convert([value], dtype) is None:
        raise _type_error(value, dtype)


def _check_object(value: dict[str, Any], dtype: int) -> None:
    if dtype != pb.DT_STRING:
        raise _type_error(value, dtype)
    if not is_base64(value):
        raise format_error(value, "not formatted correctly for base64 data")
    if string_bytes(value) is None:
        raise invalid_argument("Unable to base64 decode")


def _type_error(value: Any, dtype: int) -> StatusError:
    text = f"Type: {json_type(value)} is not of expected type: {type_name(dtype)}"
    return format_error(value, text)


def format_error(value: Any, text: str) -> StatusError:
    """An error that quotes the value."""
    return invalid_argument(f"JSON Value: {value_text(value)} {text}")


def json_type(value: Any) -> str:
    """RapidJSON's name of a value's type."""
    if value is None or isinstance(value, bool):
        return {None: "Null", True: "True", False: "False"}[value]
    if isinstance(value, dict):
        return "Object"
    return {list: "Array", str: "String", int: "Number", float: "Number"}[type(value)]
