"""Classify, regress, and both at once: `Example`s in, scores or values out.

Such a signature has one input, `inputs`, which takes the serialized examples as strings. The
checks, their order and their texts are the original's (recorded cases 300 to 318, 480 to 489, and
`classifier.cc`, `regressor.cc`, `multi_inference.cc` of TensorFlow Serving).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.predict import require_type, type_name
from serving.local.servable import Servable
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD, DEFAULT_SIGNATURE, REGRESS_METHOD
from serving.wire.tensors import Array, data_type

INPUTS, OUTPUTS, CLASSES, SCORES = "inputs", "outputs", "classes", "scores"

Result = pb.ClassificationResult | pb.RegressionResult


class Task(NamedTuple):
    """What to do with the examples.

    Attributes:
        method: a method name.
        signature_name: the signature to do it with.
        among: whether it is one of a `MultiInference`, which words a missing signature otherwise.
    """

    method: str
    signature_name: str = DEFAULT_SIGNATURE
    among: bool = False


class _Step(NamedTuple):
    """A task that was checked against the model."""

    task: Task
    signature: pb.SignatureDef
    fetches: Mapping[str, str]


def task_of(method: str, spec: pb.ModelSpec) -> Task:
    """What a request's spec asks for, its model and version aside."""
    return Task(method, spec.signature_name or DEFAULT_SIGNATURE)


def tasks_of(request: pb.MultiInferenceRequest) -> list[Task]:
    """What a request of several tasks asks for, the model and version aside."""
    return [
        task_of(task.method_name, task.model_spec)._replace(among=True) for task in request.tasks
    ]


def infer_request(
    servable: Servable, method: str, request: pb.ClassificationRequest | pb.RegressionRequest
) -> Result:
    """Runs a classify or regress request; its model and version are not looked at."""
    (result,) = infer(servable, [task_of(method, request.model_spec)], request.input)
    return result


def infer(
    servable: Servable, tasks: Sequence[Task], examples: pb.Input, timeout_ms: int = 0
) -> list[Result]:
    """Runs tasks on the same examples, in one run of the graph.

    Args:
        servable: the version to run.
        tasks: one or more; their signatures must share the input tensor.
        examples: what to run on.
        timeout_ms: milliseconds until the run is given up; 0 waits for ever.

    Returns:
        One result for each task.

    Raises:
        StatusError: as the original would report it.
    """
    steps = _prepare_all(servable.signatures, tasks)
    serialized = _serialized(examples)
    names = sorted({name for step in steps for name in step.fetches.values()})
    feeds = _feeds(steps[0].signature, serialized)
    values = dict(zip(names, servable.run(feeds, names, timeout_ms), strict=True))
    return [_result(step, values, len(serialized)) for step in steps]


def listed(examples: pb.Input) -> Sequence[pb.Example]:
    """The examples of a request, without their context."""
    return examples.example_list.examples or examples.example_list_with_context.examples


def _prepare_all(signatures: Mapping[str, pb.SignatureDef], tasks: Sequence[Task]) -> list[_Step]:
    """Checks one task after the other, so that the first one with a fault is told."""
    steps: list[_Step] = []
    for task in tasks:
        if any(step.task.signature_name == task.signature_name for step in steps):
            raise invalid_argument(f"Duplicate evaluation of signature: {task.signature_name}")
        steps.append(_prepare(signatures, task))
        if len({step.signature.inputs[INPUTS].name for step in steps}) > 1:
            raise invalid_argument("Input tensor must be the same for all Signatures.")
    return steps


def _prepare(signatures: Mapping[str, pb.SignatureDef], task: Task) -> _Step:
    signature = signatures.get(task.signature_name)
    if signature is None:
        among = "Requested signature not found in model graph: "
        text = among if task.among else "No signature was found with the name: "
        raise invalid_argument(text + task.signature_name)
    if task.method not in _METHODS:
        text = f"Unsupported signature method_name: {task.method}"
        raise StatusError(Code.UNIMPLEMENTED, text)
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    return _Step(task, signature, _METHODS[task.method].fetches(signature))


def _classify_fetches(signature: pb.SignatureDef) -> dict[str, str]:
    if len(signature.outputs) not in (1, 2):
        count = len(signature.outputs)
        raise invalid_argument(f"Expected one or two output Tensors, found {count}")
    if INPUTS not in signature.inputs:
        raise invalid_argument(f"No classification inputs found in SignatureDef: {signature}")
    found = {k: signature.outputs[k].name for k in (CLASSES, SCORES) if k in signature.outputs}
    if not found:
        raise invalid_argument(
            f'Expected classification signature outputs to contain at least one of "{CLASSES}" or '
            f'"{SCORES}". Signature was: {signature}'
        )
    return found


def _regress_fetches(signature: pb.SignatureDef) -> dict[str, str]:
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    for alias, kind, infos in (
        (INPUTS, "inputs", signature.inputs),
        (OUTPUTS, "outputs", signature.outputs),
    ):
        if alias not in infos:
            raise invalid_argument(f"No regression {kind} found in SignatureDef: {signature}")
    return {OUTPUTS: signature.outputs[OUTPUTS].name}


def _serialized(examples: pb.Input) -> list[bytes]:
    """The examples' bytes; a context is merged by putting its bytes in front."""
    context = examples.example_list_with_context.context.SerializeToString(deterministic=True)
    examples_given = listed(examples)
    if not examples_given:
        raise invalid_argument("Input is empty.")
    return [context + example.SerializeToString(deterministic=True) for example in examples_given]


def _feeds(signature: pb.SignatureDef, serialized: Sequence[bytes]) -> dict[str, Array]:
    strings = np.empty(len(serialized), np.object_)
    strings[:] = serialized
    info = signature.inputs[INPUTS]
    require_type(0, strings, info.dtype)
    return {info.name: strings}


def _result(step: _Step, values: Mapping[str, Array], count: int) -> Result:
    outputs = {alias: values[name] for alias, name in step.fetches.items()}
    return _METHODS[step.task.method].result(outputs, count)


def _classification(outputs: Mapping[str, Array], count: int) -> Result:
    for alias, dtype in ((CLASSES, pb.DT_STRING), (SCORES, pb.DT_FLOAT)):
        if alias in outputs:
            _require_matrix(alias, outputs[alias], dtype, count)
    widths = [array.shape[1] for array in outputs.values()]
    if len(set(widths)) > 1:
        text = f"Got {widths[0]} vs. {widths[1]}"
        raise invalid_argument(f"Tensors class and score should match in dim_size(1). {text}")
    result = pb.ClassificationResult()
    for row in range(count):
        classes = result.classifications.add().classes
        for column in range(widths[0]):
            entry = classes.add()
            if CLASSES in outputs:
                entry.label = outputs[CLASSES][row, column]
            if SCORES in outputs:
                entry.score = outputs[SCORES][row, column]
    return result


def _require_matrix(alias: str, array: Array, dtype: pb.DataType, count: int) -> None:
    if array.ndim != 2:
        text = f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}"
        raise invalid_argument(text)
    if data_type(array) != dtype:
        expected, got = pb.DataType.Name(dtype), pb.DataType.Name(data_type(array))
        raise invalid_argument(f"Expected {alias} Tensor of {expected}. Got: {got}")
    if array.shape[0] != count:
        text = f"Expected {alias} output batch size of {count}. Got: {array.shape[0]}"
        raise invalid_argument(text)


def _regression(outputs: Mapping[str, Array], count: int) -> Result:
    (array,) = outputs.values()
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        text = "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
        raise invalid_argument(text + _shape(array))
    if array.shape[0] != count:
        text = f"Input batch size did not match output batch size: {count} vs. {array.shape[0]}"
        raise invalid_argument(text)
    if data_type(array) != pb.DT_FLOAT:
        text = f"Expected output Tensor of DT_FLOAT.  Got: DT_{type_name(data_type(array)).upper()}"
        raise invalid_argument(text)
    return pb.RegressionResult(
        regressions=[pb.Regression(value=value) for value in array.ravel().tolist()]
    )


def _shape(array: Array) -> str:
    return f"[{','.join(map(str, array.shape))}]"


class _Method(NamedTuple):
    fetches: Callable[[pb.SignatureDef], dict[str, str]]
    result: Callable[[Mapping[str, Array], int], Result]


_METHODS = {
    CLASSIFY_METHOD: _Method(_classify_fetches, _classification),
    REGRESS_METHOD: _Method(_regress_fetches, _regression),
}
