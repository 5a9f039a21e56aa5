"""Folding changes how the network is computed, but not its outputs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.weights import with_random_weights
from training.export.batch_norm_folding import Folded, with_folded_batch_norm
from training.network import backbones

PIXELS = np.random.default_rng(0).random((2, 224, 224, 3), np.float32)


@pytest.fixture(params=["efficientnet_lite0", "resnet50v2"])
def backbone(request: pytest.FixtureRequest) -> keras.Model:
    """A backbone whose batch norms and biases have something to do."""
    return with_random_weights(backbones.build(request.param, "none"))


def test_a_folded_network_gives_what_the_network_gives(backbone: keras.Model) -> None:
    expected = backbone(PIXELS, training=False).numpy()
    got = with_folded_batch_norm(backbone)(PIXELS, training=False).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_every_batch_norm_behind_a_convolution_is_folded() -> None:
    network = with_folded_batch_norm(backbones.build("efficientnet_lite0", "none"))
    kinds = [type(layer) for layer in network.layers]
    assert kinds.count(Folded) == 49
    assert keras.layers.BatchNormalization not in kinds


def test_a_batch_norm_behind_a_sum_stays(backbone: keras.Model) -> None:
    norms = [
        layer
        for layer in with_folded_batch_norm(backbone).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    # ResNet V2 has one at the entrance of each of its 16 blocks, and one at its end.
    assert len(norms) == (17 if backbone.name == "resnet50v2" else 0)


def test_one_operation_is_left_of_a_convolution_its_batch_norm_and_its_activation() -> None:
    image = keras.Input((224, 224, 3))
    x = keras.layers.Conv2D(4, 3, use_bias=False)(image)
    model = with_folded_batch_norm(
        keras.Model(image, keras.layers.ReLU(6)(keras.layers.BatchNormalization()(x)))
    )
    graph = tf.function(model).get_concrete_function(tf.TensorSpec((1, 224, 224, 3))).graph
    behind = [op.type for op in graph.get_operations() if op.type in ("Conv2D", "BiasAdd", "Relu6")]
    assert behind == ["Conv2D", "BiasAdd", "Relu6"]
