"""Classify, regress, or several of them in one call: `Example`s in, scores or values out.

Such a signature has one input, `inputs`, which takes the serialized examples as strings. The
order of the checks is the original's (recorded cases 300 to 318 and 480 to 489).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError, invalid_argument
from serving.local.inference.dataplane import Served, Signatures
from serving.local.inference.signature import require_fit, type_name
from serving.wire import messages_pb2 as pb
from serving.wire.methods import CLASSIFY_METHOD, DEFAULT_SIGNATURE, REGRESS_METHOD
from serving.wire.tensors import Array, data_type

INPUTS, OUTPUTS, CLASSES, SCORES = "inputs", "outputs", "classes", "scores"

_OUTPUTS = {CLASSIFY_METHOD: (CLASSES, SCORES), REGRESS_METHOD: (OUTPUTS,)}

Result = pb.ClassificationResult | pb.RegressionResult


def infer(
    served: Served,
    tasks: Sequence[pb.InferenceTask],
    examples: pb.Input,
    deadline: Deadline = NO_DEADLINE,
) -> list[Result]:
    """Runs tasks on the same examples, in one run of the graph; returns a result for each task.

    Ignores the models and versions of the tasks; their signatures must share one input. Raises
    `StatusError` if tasks, examples, limits and model do not fit each other, the run fails, or the
    deadline passes.
    """
    names = [task.model_spec.signature_name or DEFAULT_SIGNATURE for task in tasks]
    if len(set(names)) < len(names):
        raise invalid_argument(f"Duplicate evaluation of a signature: {', '.join(names)}")
    # Checks the tasks in order, so that the error names the first invalid task.
    fetches = [
        _fetches(served.signatures, task.method_name, name)
        for task, name in zip(tasks, names, strict=True)
    ]
    info = _shared_input(served.signatures, names)
    count = len(_listed(examples))
    require_fit(INPUTS, info, pb.DT_STRING, (count,), served.limits)
    tensors = sorted({tensor for each in fetches for tensor in each.values()})
    feeds = {info.name: _serialized(examples)}
    with served.metrics.runtime(served.model, _api(tasks)):
        values = served.servable.run(feeds, tensors, deadline)
    by_name = dict(zip(tensors, values, strict=True))
    results = [
        _result({alias: by_name[tensor] for alias, tensor in each.items()}, count)
        for each in fetches
    ]
    served.metrics.examples(served.model, count)
    return results


def _shared_input(signatures: Signatures, names: Sequence[str]) -> pb.TensorInfo:
    infos = {info.name: info for name in names for info in signatures[name].inputs.values()}
    if len(infos) > 1:
        raise invalid_argument("Input tensor must be the same for all Signatures.")
    (info,) = infos.values()
    return info


def _api(tasks: Sequence[pb.InferenceTask]) -> str:
    """Returns the name under which the original counts a run."""
    if len(tasks) > 1:
        return "MultiInference"
    return "Regress" if tasks[0].method_name == REGRESS_METHOD else "Classify"


def _listed(examples: pb.Input) -> Sequence[pb.Example]:
    """Returns the examples of a request, without their context."""
    return examples.example_list.examples or examples.example_list_with_context.examples


def _fetches(signatures: Signatures, method: str, name: str) -> dict[str, str]:
    """Returns the tensors of a task's outputs; raises `StatusError` if the signature lacks them."""
    if name not in signatures:
        raise invalid_argument(f"No signature was found with the name: {name}")
    if method not in _OUTPUTS:
        raise StatusError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method}")
    signature, wanted = signatures[name], _OUTPUTS[method]
    if [*signature.inputs] != [INPUTS]:
        names = ", ".join(signature.inputs)
        raise invalid_argument(f"{name} has no inputs for examples, a single `inputs`: {names}")
    found = {alias: signature.outputs[alias].name for alias in wanted if alias in signature.outputs}
    if not found or len(signature.outputs) > len(wanted):
        verb = "regress" if method == REGRESS_METHOD else "classify"
        expected, outputs = " or ".join(wanted), ", ".join(sorted(signature.outputs))
        raise invalid_argument(f"{name} does not {verb}: expected {expected}, found {outputs}")
    return found


def _serialized(examples: pb.Input) -> Array:
    """Returns the serialized examples; a context is merged by prepending its bytes."""
    context = examples.example_list_with_context.context.SerializeToString(deterministic=True)
    given = _listed(examples)
    if not given:
        raise invalid_argument("Input is empty.")
    strings = [context + example.SerializeToString(deterministic=True) for example in given]
    return np.array(strings, np.object_)


def _result(outputs: Mapping[str, Array], count: int) -> Result:
    for alias, array in outputs.items():
        dtype = pb.DT_STRING if alias == CLASSES else pb.DT_FLOAT
        ranks = (1, 2) if alias == OUTPUTS else (2,)
        if data_type(array) != dtype or array.ndim not in ranks or len(array) != count:
            raise invalid_argument(
                f"Expected output {alias} to be {type_name(dtype)} with {count} rows. Got "
                f"{type_name(data_type(array))} of shape {list(array.shape)}."
            )
    return _regression(outputs[OUTPUTS], count) if OUTPUTS in outputs else _classes(outputs)


def _classes(outputs: Mapping[str, Array]) -> pb.ClassificationResult:
    shapes = {array.shape for array in outputs.values()}
    if len(shapes) > 1:
        raise invalid_argument(f"Expected outputs of shape [batch_size num_classes]. Got {shapes}.")
    result = pb.ClassificationResult()
    ((rows, columns),) = shapes
    for row in range(rows):
        classes = result.classifications.add().classes
        for column in range(columns):
            entry = classes.add()
            if CLASSES in outputs:
                entry.label = outputs[CLASSES][row, column]
            if SCORES in outputs:
                entry.score = outputs[SCORES][row, column]
    return result


def _regression(array: Array, count: int) -> pb.RegressionResult:
    if array.size != count:
        text = f"Expected output shape [batch_size] or [batch_size, 1]. Got {list(array.shape)}."
        raise invalid_argument(text)
    values = array.ravel().tolist()
    return pb.RegressionResult(regressions=[pb.Regression(value=value) for value in values])
