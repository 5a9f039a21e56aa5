"""One prediction on one servable: checks against the signature, then the run.

Checks, their order and their texts are the original's (recorded cases 429 to 449).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from serving.local.errors import Code, StatusError, failed_precondition, invalid_argument
from serving.local.servable import Servable
from serving.wire import messages_pb2 as pb
from serving.wire.methods import (
    CLASSIFY_METHOD,
    DEFAULT_SIGNATURE,
    PREDICT_METHOD,
    REGRESS_METHOD,
)
from serving.wire.tensors import MAX_RANK, Array, data_type, from_proto

TENSORFLOW_MAX_RANK = 254
"""`TensorShape::MaxDimensions` in `tensor_shape.h`."""
PREDICT_METHODS = (PREDICT_METHOD, "", CLASSIFY_METHOD, REGRESS_METHOD)


class RequestTensors(Mapping[str, Array]):
    """The tensors of a gRPC request, each decoded when it is looked up.

    A tensor that cannot be decoded is reported after the signature's own checks, as in the
    original (recorded case 443).
    """

    def __init__(self, protos: Mapping[str, pb.TensorProto]) -> None:
        self._protos = protos

    def __getitem__(self, name: str) -> Array:
        proto = self._protos[name]
        require_rank(len(proto.tensor_shape.dim), name)
        try:
            return from_proto(proto)
        except ValueError as error:
            raise invalid_argument(f"tensor parsing error: {name}") from error

    def __contains__(self, name: object) -> bool:
        return name in self._protos

    def __iter__(self) -> Iterator[str]:
        return iter(self._protos)

    def __len__(self) -> int:
        return len(self._protos)


def predict_request(
    servable: Servable, request: pb.PredictRequest, timeout_ms: int = 0
) -> dict[str, Array]:
    """Runs a `PredictRequest` on a servable; its model and version are not looked at."""
    return predict(
        servable,
        request.model_spec.signature_name or DEFAULT_SIGNATURE,
        RequestTensors(request.inputs),
        request.output_filter,
        timeout_ms,
    )


def predict(
    servable: Servable,
    signature_name: str,
    inputs: Mapping[str, Array],
    output_filter: Sequence[str] = (),
    timeout_ms: int = 0,
) -> dict[str, Array]:
    """Runs a signature.

    Args:
        servable: the version to run.
        signature_name: one of its signatures.
        inputs: arrays by input name; shapes are left to the graph to judge.
        output_filter: the outputs wanted, or none for all.
        timeout_ms: milliseconds until the run is given up; 0 waits for ever.

    Returns:
        Arrays by output name.

    Raises:
        StatusError: as the original would report it.
    """
    signature = servable.signatures.get(signature_name)
    if signature is None:
        raise failed_precondition(f'Serving signature key "{signature_name}" not found.')
    if signature.method_name not in PREDICT_METHODS or signature_name.startswith("__"):
        raise _not_for_predict(signature)
    feeds = _feeds(signature, inputs)
    wanted = _outputs(signature, output_filter)
    # Always all of them, in one order: each other set would be compiled anew.
    names = sorted(signature.outputs)
    values = servable.run(feeds, [signature.outputs[name].name for name in names], timeout_ms)
    answer = dict(zip(names, values, strict=True))
    return {name: answer[name] for name in wanted}


def _not_for_predict(signature: pb.SignatureDef) -> StatusError:
    methods = ", ".join(sorted(method for method in PREDICT_METHODS if method))
    return invalid_argument(
        f"Expected prediction signature method_name to be one of {{{methods}}}. "
        f"Was: {signature.method_name}"
    )


def _feeds(signature: pb.SignatureDef, inputs: Mapping[str, Array]) -> dict[str, Array]:
    _require_size(signature, inputs)
    feeds: dict[str, Array] = {}
    for alias, info in signature.inputs.items():
        if alias not in inputs and alias not in signature.defaults:
            raise _missing(alias, info, inputs, signature.defaults)
        given = inputs if alias in inputs else RequestTensors(signature.defaults)
        feeds[info.name] = given[alias]
    _require_known(signature, inputs)
    expected = {info.name: info.dtype for info in signature.inputs.values()}
    for position, name in enumerate(sorted(feeds)):
        require_type(position, feeds[name], expected[name])
    return feeds


def _require_size(signature: pb.SignatureDef, sent: Collection[str]) -> None:
    """Refuses more inputs than there are; fewer will do where some have defaults."""
    expected = signature.inputs
    if len(sent) > len(expected) or (len(sent) < len(expected) and not signature.defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({_braces(sent)}) != len({_braces(expected)}). "
            f"Sent extra: {_braces(set(sent) - set(expected))}. "
            f"Missing but required: {_braces(set(expected) - set(sent))}."
        )


def _require_known(signature: pb.SignatureDef, sent: Collection[str]) -> None:
    used = set(sent) & set(signature.inputs)
    if len(used) != len(sent):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {','.join(sorted(used))}, "
            f"request input: {','.join(sorted(sent))}"
        )


def _missing(
    alias: str, info: pb.TensorInfo, inputs: Collection[str], defaults: Collection[str]
) -> StatusError:
    return invalid_argument(
        f"Signature input alias: {alias}(feed name: {info.name}) not found in request and no "
        f"default value provided. Inputs expected to be in the request {_braces(inputs)}, or "
        f"default input alias set: {','.join(sorted(defaults))}"
    )


def require_rank(rank: int, name: str) -> None:
    """Refuses more dimensions than TensorFlow's tensors have, in its words, or than ours have."""
    if rank > TENSORFLOW_MAX_RANK:
        raise invalid_argument(f"tensor parsing error: {name}")
    if rank > MAX_RANK:
        text = f"{name} has {rank} dimensions. This server takes at most {MAX_RANK}."
        raise StatusError(Code.UNIMPLEMENTED, text)


def require_type(position: int, array: Array, expected: pb.DataType) -> None:
    """Refuses an array of another type than the graph's input, in TensorFlow's words."""
    provided = data_type(array)
    if provided != expected:
        raise invalid_argument(
            f"Expects arg[{position}] to be {type_name(expected)} "
            f"but {type_name(provided)} is provided"
        )


def _outputs(signature: pb.SignatureDef, output_filter: Sequence[str]) -> list[str]:
    for position, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in "
                f"the set {_braces(signature.outputs)}."
            )
        if alias in output_filter[:position]:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
    return list(output_filter) or sorted(signature.outputs)


def type_name(number: int) -> str:
    """TensorFlow's name of a type: `float`, `int32`, `uint8`."""
    if number not in pb.DataType.values():
        return f"unknown dtype enum ({number})"
    return pb.DataType.Name(pb.DataType.ValueType(number)).removeprefix("DT_").lower()


def _braces(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
