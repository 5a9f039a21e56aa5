"""The outputs that the front end reads from each kind of model; other versions are refused.

Comparing signatures with stable's is not enough: the first version has no stable one to compare
with, and a signature may leave the shape of an output open. So a counter is sent a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from serving.rollout.errors import Refused
from serving.rollout.state.card import Kind
from serving.wire import messages_pb2 as pb
from serving.wire.methods import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from serving.wire.tensors import Array

PLACES = 16
"""Number of bills for which a counter's answer about a picture has space."""
LARGEST_BATCH = {Kind.CLASSIFIER: 64, Kind.COUNTER: 16}
"""Largest batch of pictures that a version accepts, by its kind."""

_IMAGE = "image"
_PICTURES = 2
_COUNTER = {
    "boxes": ("DT_FLOAT", (PLACES, 4, 2)),
    "classes": ("DT_STRING", (PLACES,)),
    "scores": ("DT_FLOAT", (PLACES,)),
    "count": ("DT_INT32", ()),
    "accepted": ("DT_BOOL", ()),
}
"""Outputs of a counter by name: dtype, and shape for one picture."""

Ask = Callable[[str, "Mapping[str, Array]"], "Mapping[str, Array]"]


def require_contract(kind: Kind, signatures: Mapping[str, pb.SignatureDef], ask: Ask) -> None:
    """Checks a counter's outputs for black pictures; for a classifier its signatures are enough.

    Args:
        kind: the kind of model, from the version's card.
        signatures: the version's signatures.
        ask: runs a signature: takes its name and inputs, returns its outputs by name.

    Raises:
        Refused: names the input or output that is not what the front end sends or reads.
        StatusError: the version fails to answer.
    """
    if kind is not Kind.COUNTER:
        return
    outputs = ask(DEFAULT_SIGNATURE, {_IMAGE: _black_pictures(signatures)})
    found = {name: _told(array) for name, array in outputs.items()}
    for name, (dtype, shape) in _COUNTER.items():
        wanted = f"{dtype} {[_PICTURES, *shape]}"
        if found.get(name) != wanted:
            raise Refused(
                f"A counter's output {name} should be {wanted} for {_PICTURES} pictures. "
                f"Received: {found.get(name, 'none of this name')}."
            )


def _black_pictures(signatures: Mapping[str, pb.SignatureDef]) -> Array:
    """Returns black pictures of the size that the signature declares."""
    import numpy as np

    inputs = signatures[DEFAULT_SIGNATURE].inputs if DEFAULT_SIGNATURE in signatures else {}
    if set(inputs) != {_IMAGE}:
        names = ", ".join(inputs) or "none"
        raise Refused(f"A counter's {DEFAULT_SIGNATURE} should take {_IMAGE}. It takes: {names}.")
    info = inputs[_IMAGE]
    sides = [dim.size for dim in info.tensor_shape.dim][1:]
    if info.dtype != pb.DT_UINT8 or len(sides) != 3 or min(sides) < 1:
        got = f"{pb.DataType.Name(info.dtype)} of sides {sides}"
        raise Refused(f"A counter's {_IMAGE} should be uint8 [N, height, width, 3]. It is: {got}.")
    return np.zeros((_PICTURES, *sides), np.uint8)


def _told(array: Array) -> str:
    from serving.wire.tensors import data_type

    return f"{pb.DataType.Name(data_type(array))} {list(array.shape)}"
