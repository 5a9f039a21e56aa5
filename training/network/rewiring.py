"""Makes a functional model from the layers of another one, some of them replaced."""

from collections.abc import Callable
from typing import Any

import keras


class Wiring:
    """The layers of a functional model under construction, and what each was applied to."""

    def __init__(self) -> None:
        # Each output is kept with its layer, so that no other tensor can get the output's id.
        self._applied: dict[int, tuple[Any, keras.layers.Layer, Any]] = {}

    def apply(self, layer: keras.layers.Layer, x: Any, **arguments: Any) -> Any:
        """Applies a layer to a symbolic tensor and returns its output."""
        y = layer(x, **arguments)
        self._applied[id(y)] = (y, layer, x)
        return y

    def origin_of(self, x: Any) -> keras.layers.Layer | None:
        """Returns the layer that computed `x`; None for an input of the model."""
        return self._applied[id(x)][1] if id(x) in self._applied else None

    def input_of(self, x: Any) -> Any:
        """Returns the input of the layer that computed `x`."""
        return self._applied[id(x)][2]


def rewired(model: keras.Model, call: Callable[..., Any]) -> keras.Model:
    """Returns a functional model that shares the layers of `model`, nested models included.

    Args:
        model: The model to follow from its input to its outputs.
        call: Takes a `Wiring`, a layer, a symbolic tensor and keyword arguments, and returns what
            replaces the layer's output. The new model leaves out outputs that nothing uses.
    """
    wiring = Wiring()
    return keras.models.clone_model(
        model,
        clone_function=lambda layer: layer,
        call_function=lambda layer, x, **arguments: call(wiring, layer, x, **arguments),
        recursive=True,
    )
