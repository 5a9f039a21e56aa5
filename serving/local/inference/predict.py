"""Runs one prediction on a servable, after checks against the signature.

Checks and codes are the original's (recorded cases 429 to 449), except for shapes: see `signature`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError, failed_precondition, invalid_argument
from serving.local.inference.dataplane import Served
from serving.local.inference.signature import TensorLimits, to_array
from serving.local.runtime.saved_model import Servable
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import Array

Tensors = Mapping[str, pb.TensorProto] | Mapping[str, Array]
"""Inputs by name: arrays, or gRPC's messages, which are decoded after they passed the checks."""


def predict(
    served: Served,
    signature_name: str,
    inputs: Tensors,
    output_filter: Sequence[str] = (),
    deadline: Deadline = NO_DEADLINE,
) -> dict[str, Array]:
    """Runs a signature on tensors by input name, and returns arrays by output name.

    Without an `output_filter` it returns all outputs. Raises `StatusError` if the request does not
    fit the signature or the limits, the run fails, or the deadline passes.
    """
    signature = served.signatures.get(signature_name)
    if signature is None:
        raise failed_precondition(f'Serving signature key "{signature_name}" not found.')
    # Any method name is taken, as in the original, which checks it only by a flag.
    if signature_name.startswith("__"):
        raise invalid_argument(f"Signature {signature_name} is not for predictions.")
    feeds = _feeds(signature, inputs, served.limits)
    wanted = _outputs(signature, output_filter)
    # Always all outputs in the same order: TensorFlow compiles the graph for each set of fetches.
    names = sorted(signature.outputs)
    fetches = [signature.outputs[name].name for name in names]
    try:
        with served.metrics.runtime(served.model, "Predict"):
            values = served.servable.run(feeds, fetches, deadline)
    except StatusError as error:
        raise _placed(error, served.servable, feeds, fetches, deadline) from error
    answer = dict(zip(names, values, strict=True))
    return {name: answer[name] for name in wanted}


def _feeds(signature: pb.SignatureDef, inputs: Tensors, limits: TensorLimits) -> dict[str, Array]:
    extra = set(inputs) - set(signature.inputs)
    missing = set(signature.inputs) - set(inputs) - set(signature.defaults)
    if extra or missing:
        raise invalid_argument(
            f"Expects inputs {_braces(signature.inputs)} but {_braces(inputs)} are provided. "
            f"Sent extra: {_braces(extra)}. Missing but required: {_braces(missing)}."
        )
    given: dict[str, pb.TensorProto | Array] = {**signature.defaults, **inputs}
    return {
        info.name: to_array(alias, info, given[alias], limits)
        for alias, info in sorted(signature.inputs.items())
    }


def _placed(
    error: StatusError,
    servable: Servable,
    feeds: Mapping[str, Array],
    fetches: Sequence[str],
    deadline: Deadline,
) -> StatusError:
    """Adds the row that caused an error, if each row is a string, such as a picture.

    TensorFlow's decoders do not say which row is broken. Each row is run alone until one fails,
    which takes no longer than an answer. Assertions of the graph itself already name the row.
    """
    rows = next(iter(feeds.values())) if len(feeds) == 1 else np.empty(0)
    is_list = rows.dtype == np.object_ and rows.ndim == 1 and len(rows) > 1
    if error.code != Code.INVALID_ARGUMENT or not is_list or f" of {len(rows)}]" in error.message:
        return error
    for place in range(len(rows)):
        deadline.require()
        try:
            servable.run(dict.fromkeys(feeds, rows[place : place + 1]), fetches, deadline)
        except StatusError as own:
            return StatusError(own.code, f"Row {place + 1} of {len(rows)}: {own.message}")
    return error


def _outputs(signature: pb.SignatureDef, output_filter: Sequence[str]) -> list[str]:
    unknown = set(output_filter) - set(signature.outputs)
    if unknown:
        expected = _braces(signature.outputs)
        raise invalid_argument(f"Expects outputs of {expected} but {_braces(unknown)} are asked.")
    if len(set(output_filter)) < len(output_filter):
        raise invalid_argument(f"An output is asked for twice: {', '.join(output_filter)}.")
    return list(output_filter) or sorted(signature.outputs)


def _braces(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
