"""Folds each batch norm into the convolution before it, which gets a bias.

Keras writes a batch norm as a product and a sum. TensorFlow moves such a product into the weights
of a `Conv2D`, not of a `DepthwiseConv2D`, and takes no such sum for a bias, which alone it computes
together with the convolution and the activation.

What is folded are constants of the graph, so it is done once, when a server loads the version; the
version holds the convolution and the batch norm as they were, and training can go on from it.
"""

from typing import Any

import keras
import tensorflow as tf

from training.network.rewiring import Wiring, rewired


def with_folded_batch_norm(model: keras.Model) -> keras.Model:
    """Returns a functional model that shares the weights of `model` and gives what it gives.

    A batch norm behind anything but a convolution stays as it is. A convolution with a bias becomes
    `Folded` too, with nothing to fold; one that does more than convolve and add stays.

    Raises:
        ValueError: a convolution is used twice, which gives two layers of one name.
    """
    return rewired(model, _call)


class Folded(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """A convolution and the batch norm behind it, if there is one, for inference."""

    def __init__(
        self,
        convolution: keras.layers.Layer,
        norm: keras.layers.BatchNormalization | None = None,
    ) -> None:
        super().__init__(name=convolution.name)
        self._convolution, self._norm = convolution, norm
        self.depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)

    def call(self, x: Any) -> Any:
        """Maps [N,H,W,C] to what the last of both would give."""
        kernel, bias = self.kernel_and_bias()
        return tf.nn.bias_add(self.convolve(x, kernel), bias)

    def kernel_and_bias(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns [H,W,C,filters], or [H,W,C,1] of a depthwise one, and [filters] or [C].

        A batch norm gives gamma (y - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy,
        ICML 2015, algorithm 2), linear in y as the convolution is in its kernel.
        """
        if self._norm is None:
            kernel, bias = _read(self._convolution)
            return kernel, bias
        (kernel,) = _read(self._convolution)
        gamma, beta, mean, variance = _read(self._norm)
        scale = gamma * tf.math.rsqrt(variance + self._norm.epsilon)
        return kernel * (scale[:, None] if self.depthwise else scale), beta - mean * scale

    def convolve(self, x: Any, kernel: tf.Tensor) -> Any:
        """Does the convolution with another kernel, without a bias."""
        convolve = keras.ops.depthwise_conv if self.depthwise else keras.ops.conv
        return convolve(x, kernel, self._convolution.strides, self._convolution.padding)

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


def _call(wiring: Wiring, layer: keras.layers.Layer, x: Any, **arguments: Any) -> Any:
    if isinstance(layer, keras.layers.BatchNormalization):
        before = wiring.origin_of(x)
        if _is_convolution(before, use_bias=False):
            return wiring.apply(Folded(before, layer), wiring.input_of(x))
    if _is_convolution(layer, use_bias=True):
        return wiring.apply(Folded(layer), x)
    return wiring.apply(layer, x, **arguments)


def _is_convolution(layer: keras.layers.Layer | None, *, use_bias: bool) -> bool:
    """Whether it is one of those that `Folded` can do: no activation, dilation or groups."""
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return (
        isinstance(layer, kinds)
        and layer.use_bias == use_bias
        and layer.activation is keras.activations.linear
        and layer.dilation_rate == (1, 1)
        and layer.data_format == "channels_last"
        # Each kind has one of the two.
        and getattr(layer, "groups", 1) == getattr(layer, "depth_multiplier", 1) == 1
    )
