"""Folds each batch norm into the convolution before it, which gets a bias.

Keras writes a batch norm as a multiplication and an addition. TensorFlow folds the multiplication
into the weights of a `Conv2D` but not of a `DepthwiseConv2D`. It does not turn the addition into a
bias, and only a bias is computed together with the convolution and the activation.

The operands are constants of the graph, so a server folds them once, when it loads the version. The
version itself holds the original convolution and batch norm, so that training can start from it.
"""

from typing import Any

import keras
import tensorflow as tf

from training.network.rewiring import Wiring, rewired


def with_folded_batch_norm(model: keras.Model) -> keras.Model:
    """Returns a functional model that shares the weights of `model` and has the same outputs.

    A batch norm behind any other layer stays unchanged. A convolution with a bias becomes `Folded`
    too, with nothing to fold; a convolution with an activation, for example, stays unchanged.

    Raises:
        ValueError: a convolution is used twice, which gives two layers of one name.
    """
    return rewired(model, _call)


class Folded(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """A convolution and the batch norm behind it, if any, for inference."""

    def __init__(
        self,
        convolution: keras.layers.Layer,
        norm: keras.layers.BatchNormalization | None = None,
    ) -> None:
        super().__init__(name=convolution.name)
        self._convolution, self._norm = convolution, norm
        self.depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)

    def call(self, x: Any) -> Any:
        """Maps [N,H,W,C] to the output of the batch norm, or of the convolution without one."""
        kernel, bias = self.kernel_and_bias()
        return tf.nn.bias_add(self.convolve(x, kernel), bias)

    def kernel_and_bias(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns a kernel [H,W,C,filters] and a bias [filters]; if depthwise, [H,W,C,1] and [C].

        A batch norm returns gamma (y - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy,
        ICML 2015, algorithm 2). It is linear in y, and the convolution y is linear in its kernel.
        """
        if self._norm is None:
            kernel, bias = _read(self._convolution)
            return kernel, bias
        (kernel,) = _read(self._convolution)
        gamma, beta, mean, variance = _read(self._norm)
        scale = gamma * tf.math.rsqrt(variance + self._norm.epsilon)
        return kernel * (scale[:, None] if self.depthwise else scale), beta - mean * scale

    def convolve(self, x: Any, kernel: tf.Tensor) -> Any:
        """Applies the convolution with the given kernel, without a bias."""
        convolve = keras.ops.depthwise_conv if self.depthwise else keras.ops.conv
        return convolve(x, kernel, self._convolution.strides, self._convolution.padding)

    def compute_output_shape(self, shape: Any) -> Any:
        """Returns the output shape of the convolution."""
        return self._convolution.compute_output_shape(shape)


def _read(layer: keras.layers.Layer) -> list[tf.Tensor]:
    """Reads a layer's variables under the names by which `network.frozen` finds them."""
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
    """Returns whether `Folded` supports the layer: no activation, dilation or groups."""
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return (
        isinstance(layer, kinds)
        and layer.use_bias == use_bias
        and layer.activation is keras.activations.linear
        and layer.dilation_rate == (1, 1)
        and layer.data_format == "channels_last"
        # Each kind of layer has only one of these two attributes.
        and getattr(layer, "groups", 1) == getattr(layer, "depth_multiplier", 1) == 1
    )
