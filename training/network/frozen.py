"""Reads the weights back out of an exported version, where they are constants of the graph.

So the next training needs only a version: `fit --weights models/us_bills/1`.
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

# Freezing names a constant after the layer, with a number if Keras added one, and after the
# variable (in `batch_norm_folding`) or the operation of the layer that read the variable:
# `.../bn0/gamma/ReadVariableOp/resource`, `.../bn0_1/Cast_2/ReadVariableOp/resource`.
_NAME = re.compile(r"([^/]+?)(?:_\d+)?/([^/]+)/ReadVariableOp/resource$")


def load_into(model: keras.Model, version: Path) -> None:
    """Fills a backbone with the weights of the exported version in the folder `version`.

    Raises:
        FileNotFoundError: There is no SavedModel.
        ValueError: It was built on another backbone.
    """
    load_layers([layer for layer in model.layers if layer.weights], version, model.name)


def load_layers(layers: list[keras.Layer], version: Path, network: str) -> None:
    """Fills layers with the weights of the layers of the same names in an exported version.

    Args:
        layers: Layers of a built model.
        version: The folder of the version.
        network: The name of the layers' network, for the error message.

    Raises:
        FileNotFoundError: There is no SavedModel.
        ValueError: The SavedModel has no such layers.
    """
    constants = _constants(version / "saved_model.pb")
    for layer in layers:
        named = constants.get(layer.name, {})
        values = [_value(named, layer, variable.name) for variable in layer.weights]
        wanted = [tuple(variable.shape) for variable in layer.weights]
        found = [None if value is None else value.shape for value in values]
        if wanted != found:
            raise ValueError(
                f"{version} has no {network} in it: layer {layer.name} should have weights of"
                f" shapes {wanted}; found {found}."
            )
        layer.set_weights(values)


def _value(
    named: dict[str, NDArray[Any]], layer: keras.Layer, variable: str
) -> NDArray[Any] | None:
    return named.get(variable, named.get(_operation(layer, variable)))


def _operation(layer: keras.Layer, variable: str) -> str:
    """Returns the name of the operation that reads a layer's variable."""
    if isinstance(layer, keras.layers.BatchNormalization):
        order = {"moving_mean": "Cast", "moving_variance": "Cast_1", "gamma": "Cast_2"}
        return order.get(variable, "Cast_3")
    if isinstance(layer, keras.layers.Dense):
        return {"kernel": "Cast", "bias": "BiasAdd"}[variable]
    if variable == "bias":
        return "Reshape"
    return "depthwise" if isinstance(layer, keras.layers.DepthwiseConv2D) else "convolution"


def _constants(file: Path) -> dict[str, dict[str, NDArray[Any]]]:
    """Returns the constants by layer and operation."""
    if not file.is_file():
        raise FileNotFoundError(f"{file.parent} holds no SavedModel (saved_model.pb).")
    graph = SavedModel.FromString(file.read_bytes()).meta_graphs[0].graph_def
    constants: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
    for function in graph.library.function:
        for node in function.node_def:
            if node.op == "Const" and (match := _NAME.search(node.name)):
                value = tf.make_ndarray(node.attr["value"].tensor)
                constants[match[1]][match[2]] = np.asarray(value)
    return constants
