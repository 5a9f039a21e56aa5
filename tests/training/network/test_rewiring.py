"""A model made from the layers of another."""

from typing import Any

import keras
import numpy as np

from training.network.rewiring import Wiring, rewired


def model_with_a_nested_one() -> keras.Model:
    keras.utils.set_random_seed(1)
    hidden = keras.Input((4,))
    inner = keras.Model(hidden, keras.layers.ReLU()(keras.layers.Dense(4)(hidden)))
    x = keras.Input((4,))
    y = keras.layers.Dense(4, name="first")(x)
    return keras.Model(x, keras.layers.Add()([inner(y), y]))


def test_a_call_sees_which_layer_gave_a_tensor_and_what_it_was_applied_to() -> None:
    seen: list[tuple[Any, Any]] = []

    def call(wiring: Wiring, layer: keras.layers.Layer, x: Any, **arguments: Any) -> Any:
        y = wiring.apply(layer, x, **arguments)
        seen.append((layer, x))
        assert wiring.origin_of(y) is layer
        assert wiring.input_of(y) is x
        return y

    model = model_with_a_nested_one()
    inputs = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(rewired(model, call)(inputs), model(inputs), atol=1e-6)
    assert model.get_layer("first") in [layer for layer, _ in seen]


def test_an_input_of_the_model_comes_from_no_layer() -> None:
    origins: list[Any] = []

    def call(wiring: Wiring, layer: keras.layers.Layer, x: Any, **arguments: Any) -> Any:
        if layer.name == "first":
            origins.append(wiring.origin_of(x))
        return wiring.apply(layer, x, **arguments)

    rewired(model_with_a_nested_one(), call)
    assert origins == [None]
