"""The channel split changes which thread computes a channel, but not the results."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tests.support.servers import ROOT
from tests.training.weights import with_random_weights
from training.export.batch_norm_folding import with_folded_batch_norm
from training.export.channel_split import SplitConvolution, with_split_channels
from training.network import backbones

PIXELS = np.random.default_rng(0).random((2, 224, 224, 3), np.float32)


def pieces(model: keras.Model) -> list[SplitConvolution]:
    """The parts of a halved network that two threads can share."""
    return [layer for layer in model.layers if isinstance(layer, SplitConvolution)]


# Of ResNet50V2: 16 of the first and second convolutions of its blocks; its stem, four shortcuts and
# 16 third convolutions, behind which is no other that could take halves.
@pytest.mark.parametrize(
    ("name", "chains", "alone"), [("efficientnet_lite0", 16, 1), ("resnet50v2", 16, 21)]
)
def test_a_halved_network_gives_what_the_network_gives(name: str, chains: int, alone: int) -> None:
    network = with_random_weights(backbones.build(name, "none"))
    split = with_split_channels(with_folded_batch_norm(network))
    expected = network(PIXELS, training=False).numpy()
    np.testing.assert_allclose(
        split(PIXELS, training=False).numpy(), expected, atol=1e-5 * np.abs(expected).max()
    )
    assert len([piece for piece in pieces(split) if piece.last]) == chains
    assert len([piece for piece in pieces(split) if not piece.last]) == alone


def test_halves_meet_only_where_the_next_convolution_adds_them() -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 1)(image)
    x = keras.layers.ReLU(6)(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    model = with_split_channels(
        with_folded_batch_norm(keras.Model(image, keras.layers.Conv2D(4, 1)(x)))
    )
    assert operations(model) == {"Conv2D": 4, "DepthwiseConv2dNative": 2, "Relu6": 2, "AddV2": 1}


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_an_odd_number_of_channels_is_split_too_and_a_single_one_is_not(channels: int) -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(channels, 3)(image)
    x = keras.layers.DepthwiseConv2D(3)(keras.layers.Activation("relu")(x))
    assert_the_same(keras.Model(image, keras.layers.Conv2D(channels, 1)(x)))


def test_a_channel_that_other_operations_read_too_stays_whole() -> None:
    """A convolution whose output goes to a sum beside the next convolution."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 1)(image)
    assert_the_same(keras.Model(image, keras.layers.Add()([x, keras.layers.Conv2D(4, 1)(x)])))


def test_an_activation_that_looks_at_all_channels_ends_a_chain() -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Activation("softmax")(keras.layers.Conv2D(4, 1)(image))
    assert_the_same(keras.Model(image, keras.layers.Conv2D(4, 1)(x)))


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.Conv2D(4, 3, dilation_rate=2),
        keras.layers.Conv2D(4, 1, groups=2),
        keras.layers.DepthwiseConv2D(3, activation="relu"),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
    ],
    ids=["activation", "dilation", "groups", "depthwise_activation", "depth_multiplier"],
)
def test_operations_other_than_convolutions_and_additions_stay(layer: keras.layers.Layer) -> None:
    image = keras.Input((8, 8, 3))
    x = layer(keras.layers.Conv2D(4, 1)(image))
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(keras.layers.BatchNormalization()(x)))
    assert layer in assert_the_same(model).layers


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_shipped_versions_come_in_halves(version: str) -> None:
    saved_model = SavedModel()
    file = ROOT / "models" / "us_bills" / version / "saved_model.pb"
    saved_model.ParseFromString(file.read_bytes())
    functions = saved_model.meta_graphs[0].graph_def.library.function
    counts = [
        [node.op for node in function.node_def].count("DepthwiseConv2dNative")
        for function in functions
    ]
    # Of sixteen blocks.
    assert set(counts) == {0, 32}


def assert_the_same(model: keras.Model) -> keras.Model:
    """Compares a small model with its halves, and returns these."""
    split, pixels = (
        with_split_channels(with_folded_batch_norm(with_random_weights(model))),
        PIXELS[:, :8, :8] - 0.5,
    )
    np.testing.assert_allclose(split(pixels), model(pixels), rtol=1e-4, atol=1e-5)
    return split


def operations(model: keras.Model) -> dict[str, int]:
    """How many of each kind the graph has, of those that compute."""
    graph = tf.function(model).get_concrete_function(tf.TensorSpec((1, 8, 8, 3))).graph
    kinds: list[Any] = [operation.type for operation in graph.get_operations()]
    computing = ("Conv2D", "DepthwiseConv2dNative", "Relu6", "ConcatV2", "AddV2")
    return {kind: kinds.count(kind) for kind in computing if kind in kinds}
