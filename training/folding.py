"""Makes one convolution with a bias of each convolution and the batch norm behind it.

Keras writes a batch norm as a product and a sum. TensorFlow moves such a product into the weights
of a `Conv2D`, not of a `DepthwiseConv2D`, and takes no such sum for a bias, which alone it computes
together with the convolution and the activation.

What is folded are constants of the graph, so it is done once, when a server loads the version; the
version holds the convolution and the batch norm as they were, and training can go on from it.
"""

from typing import Any

import keras
import tensorflow as tf


def folded(model: keras.Model) -> keras.Model:
    """Returns a functional model that shares the weights of `model` and gives what it gives.

    A batch norm behind anything but a convolution stays as it is.
    """
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=_call, recursive=True
    )


class Folded(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """A convolution without a bias and the batch norm behind it, for inference."""

    def __init__(self, convolution: keras.layers.Layer, norm: keras.layers.BatchNormalization):
        super().__init__(name=convolution.name)
        self._convolution, self._norm = convolution, norm

    def call(self, x: Any) -> Any:
        """Maps [N,H,W,C] to what the batch norm would give.

        A batch norm gives gamma (y - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy,
        ICML 2015, algorithm 2), linear in y as the convolution is in its kernel.
        """
        convolution, norm = self._convolution, self._norm
        (kernel,) = _read(convolution)
        gamma, beta, mean, variance = _read(norm)
        scale = gamma * tf.math.rsqrt(variance + norm.epsilon)
        depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
        kernel *= scale[:, None] if depthwise else scale
        convolve = keras.ops.depthwise_conv if depthwise else keras.ops.conv
        y = convolve(x, kernel, convolution.strides, convolution.padding)
        return tf.nn.bias_add(y, beta - mean * scale)

    def compute_output_shape(self, shape: Any) -> Any:
        """Returns the convolution's."""
        return self._convolution.compute_output_shape(shape)


def _read(layer: keras.layers.Layer) -> list[tf.Tensor]:
    """Reads a layer's variables under names by which `frozen` finds them again."""
    values = []
    for variable in layer.variables:
        with tf.name_scope(f"{layer.name}/{variable.name}"):
            values.append(tf.convert_to_tensor(variable))
    return values


def _call(layer: keras.layers.Layer, x: Any, **arguments: Any) -> Any:
    if isinstance(layer, keras.layers.BatchNormalization):
        origin = x._keras_history
        if _is_plain_convolution(origin.operation):
            node = origin.operation._inbound_nodes[origin.node_index]
            return Folded(origin.operation, layer)(node.input_tensors[0])
    return layer(x, **arguments)


def _is_plain_convolution(layer: keras.layers.Layer) -> bool:
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return isinstance(layer, kinds) and not layer.use_bias
