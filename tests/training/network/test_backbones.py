"""The pretrained networks: their outputs, their frozen layers, and the source of their weights."""

import keras
import numpy as np
import pytest

from tests.photos import real_photos
from training.network import backbones
from webapp.imaging.preprocessing import open_upright, to_tensor


@pytest.mark.parametrize(("name", "channels"), [("efficientnet_lite0", 1280), ("resnet50v2", 2048)])
def test_a_backbone_maps_unit_range_pixels_to_a_seven_by_seven_feature_map(
    name: str, channels: int
) -> None:
    backbone = backbones.build(name, "none")
    features = backbone(np.random.default_rng(0).random((2, 224, 224, 3), np.float32))
    assert features.shape == (2, 7, 7, channels)


def test_an_unknown_backbone_is_refused_with_the_names_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"'vgg'.*efficientnet_lite0, resnet50v2"):
        backbones.build("vgg", "none")


def test_weights_that_are_neither_word_nor_version_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'nowhere'.*`imagenet`, `none` or the folder of a ver"):
        backbones.build("efficientnet_lite0", "nowhere")


def test_fine_tuning_resnet50v2_trains_its_top_70_layers_only() -> None:
    backbone = backbones.build("resnet50v2", "none")
    backbones.unfreeze(backbone, backbones.BACKBONES["resnet50v2"].top_layers)
    assert [layer.trainable for layer in backbone.layers] == [False] * (
        len(backbone.layers) - 70
    ) + [True] * 70


def test_the_imagenet_weights_give_the_logits_of_the_pytorch_model_on_real_photos() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    published = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="the PyTorch model's code is not installed"
    )
    state = backbones.imagenet_state_dict()
    original = published.EfficientNet.from_name("efficientnet-lite0").eval()
    original.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    pixels = np.stack([to_tensor(open_upright(p.read_bytes())) for p in real_photos()[:8]])
    with torch.no_grad():
        channels_first = torch.tensor(np.transpose((pixels - 127.0) / 128.0, (0, 3, 1, 2)))
        expected = original(channels_first.float()).numpy()

    features = backbones.build("efficientnet_lite0", "imagenet")(pixels / np.float32(255))
    pooled = keras.ops.convert_to_numpy(features).mean(axis=(1, 2))
    logits = pooled @ state["_fc.weight"].T + state["_fc.bias"]
    assert expected.shape == (8, 1000)
    np.testing.assert_allclose(logits, expected, atol=1e-3)
