"""Splits a network into two halves of its channels, which two threads compute in parallel.

By default TensorFlow splits every operation among its threads, and waits for all threads before the
next operation. The halves have to meet only where channels are mixed, so a chain of operations can
be split: a convolution by its filters, the channel-by-channel operations behind it (a depthwise
convolution, an activation), and the next convolution by its input channels, whose two sums are
added. Shoeybi et al., "Megatron-LM", 2019, section 3, split matrix products in the same way.

The split helps where each operation runs on one thread (`--tensorflow_intra_op_parallelism=1`);
docs/decisions/0007-channel-split.md says how much.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from training.export.batch_norm_folding import Folded
from training.network.rewiring import Wiring, rewired

# Layers without weights that compute each channel separately; a softmax, for example, does not.
_CHANNEL_BY_CHANNEL = (keras.layers.ReLU, keras.layers.ZeroPadding2D)
_ACTIVATIONS = frozenset({"linear", "relu", "relu6", "sigmoid", "silu", "tanh"})
# The fewest filters that can be split: one for each half.
_FEWEST = 2


def with_split_channels(model: keras.Model) -> keras.Model:
    """Returns a functional model that shares the weights of `model` and has the same outputs.

    Args:
        model: From `batch_norm_folding.with_folded_batch_norm`; only `Folded` convolutions are
            split.
    """
    return rewired(model, _call)


class SplitConvolution(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """A convolution, channel-by-channel layers, and maybe the next convolution, in two halves."""

    def __init__(
        self, first: Folded, between: Sequence[keras.layers.Layer] = (), last: Folded | None = None
    ) -> None:
        super().__init__(name=(last or first).name)
        self.first, self.between, self.last = first, list(between), last

    def call(self, x: Any) -> Any:
        """Maps [N,H,W,C] to the output of the last of its layers, except for rounding."""
        halves = [x, x]
        for layer in [self.first, *self.between]:
            halves = _apart(layer, halves)
        return _added(self.last, halves) if self.last else tf.concat(halves, axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        """Returns the output shape of the last layer."""
        for layer in filter(None, [self.first, *self.between, self.last]):
            shape = layer.compute_output_shape(shape)
        return shape


def _apart(layer: keras.layers.Layer, halves: list[Any]) -> list[Any]:
    """Returns a layer's output channels in two halves, each computed from its own input."""
    if not isinstance(layer, Folded):
        return [layer(x) for x in halves]
    kernel, bias = layer.kernel_and_bias()
    made = [
        (kernel[:, :, half] if layer.depthwise else kernel[..., half], bias[half])
        for half in _halves(bias.shape[0])
    ]
    return [
        tf.nn.bias_add(layer.convolve(x, part), added)
        for x, (part, added) in zip(halves, made, strict=True)
    ]


def _added(layer: Folded, halves: list[Any]) -> Any:
    kernel, bias = layer.kernel_and_bias()
    one, other = (
        layer.convolve(x, kernel[:, :, half])
        for x, half in zip(halves, _halves(kernel.shape[2]), strict=True)
    )
    return tf.nn.bias_add(one, bias) + other


def _halves(channels: int) -> tuple[slice, slice]:
    return slice(channels // 2), slice(channels // 2, None)


def _call(wiring: Wiring, layer: keras.layers.Layer, x: Any, **arguments: Any) -> Any:
    if not isinstance(layer, Folded) or layer.depthwise:
        return wiring.apply(layer, x, **arguments)
    between: list[keras.layers.Layer] = []
    start = x
    while _is_channel_by_channel(wiring.origin_of(start)):
        between.insert(0, wiring.origin_of(start))
        start = wiring.input_of(start)
    first = wiring.origin_of(start)
    if isinstance(first, SplitConvolution) and first.last is None:
        return wiring.apply(SplitConvolution(first.first, between, layer), wiring.input_of(start))
    filters = layer.compute_output_shape(x.shape)[-1]
    return wiring.apply(SplitConvolution(layer) if filters >= _FEWEST else layer, x)


def _is_channel_by_channel(layer: Any) -> bool:
    if isinstance(layer, keras.layers.Activation):
        return layer.activation.__name__ in _ACTIVATIONS
    return isinstance(layer, _CHANNEL_BY_CHANNEL) or (isinstance(layer, Folded) and layer.depthwise)
