"""Makes a functional model anew from the layers of another, some of them called otherwise."""

from collections.abc import Callable
from typing import Any

import keras


def rewired(model: keras.Model, call: Callable[..., Any]) -> keras.Model:
    """Returns a functional model that shares the layers of `model`, nested models included.

    Args:
        model: What to go through, from its input to its outputs.
        call: Takes a layer, a symbolic tensor and keyword arguments, and returns what takes the
            place of the layer's output. What it leaves unused is no part of the new model.
    """
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call, recursive=True
    )


def origin_of(x: Any) -> Any:
    """Returns the layer that gave a symbolic tensor."""
    return x._keras_history.operation


def input_of(x: Any) -> Any:
    """Returns what the layer that gave the symbolic tensor `x` was given for it."""
    history = x._keras_history
    return history.operation._inbound_nodes[history.node_index].input_tensors[0]
