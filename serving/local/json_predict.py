"""The body of a REST prediction: JSON in row or column form to the call of a signature.

Well-formed lists take the short way of `json_arrays`. Where that finds anything unusual,
`json_faults` names the first fault as the original does.
"""

from __future__ import annotations

from typing import Any

from serving.local.dataplane import Call, Signatures
from serving.local.errors import invalid_argument
from serving.local.json_arrays import dense, is_named
from serving.local.json_faults import (
    Infos,
    check,
    fault_in_rows,
    format_error,
    parse_request,
    require_depth,
    shape_of,
)
from serving.local.json_members import members_of
from serving.wire.methods import DEFAULT_SIGNATURE
from serving.wire.tensors import Array


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
        self._signature_name, self._document = parse_request(text)
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
            asked = self._signature_name or "DEFAULT"
            raise invalid_argument(f"Failed to get input map for signature: {asked}")
        return Call(name, self._inputs(infos))

    def _inputs(self, infos: Infos) -> dict[str, Array]:
        document = self._document
        if "instances" in document:
            if "inputs" in document:
                text = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys"
                raise format_error(document, f"{text} to exist ")
            if not isinstance(document["instances"], list):
                raise format_error(document, "Expecting 'instances' to be an list/array")
            if not document["instances"]:
                raise format_error(document, "No values in 'instances' array")
            return _rows(document["instances"], infos)
        if "inputs" in document:
            return _columns(document["inputs"], infos)
        raise invalid_argument("Missing 'inputs' or 'instances' key")


def _rows(instances: list[Any], infos: Infos) -> dict[str, Array]:
    named = is_named(instances[0])
    # A `b64` object in front passes for named inputs here; the model then misses the others.
    if not isinstance(instances[0], dict) and len(infos) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    columns = _transpose(instances, infos) if named else {next(iter(infos)): instances}
    arrays = {name: dense(column, infos[name].dtype) for name, column in columns.items()}
    # Where a row has a name twice both values count, and the last of the column are left over.
    count = len(instances)
    complete = {name: array[:count] for name, array in arrays.items() if array is not None}
    if columns and len(complete) == len(columns) and (named or not any(map(is_named, instances))):
        return complete
    for name, column in columns.items():
        require_depth(column, name)
    raise fault_in_rows(instances, infos, named)


def _transpose(instances: list[Any], infos: Infos) -> dict[str, list[Any]]:
    if any(not is_named(item) or item.keys() != infos.keys() for item in instances):
        return {}
    columns: dict[str, list[Any]] = {name: [] for name in infos}
    for item in instances:
        for name, value in members_of(item):
            columns[name].append(value)
    return columns


def _columns(value: Any, infos: Infos) -> dict[str, Array]:
    if is_named(value):
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
    array = dense(value, dtype)
    if array is None:
        require_depth(value, name)
        check(value, shape_of(value), 0, dtype)
        raise invalid_argument(f"tensor parsing error: {name}")
    return array
