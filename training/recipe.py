"""The settings of a training run. Imports nothing heavy, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Any


def _knob(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out, given the photos; each field is a flag of `fit`."""

    backbone: str = _knob("efficientnet_lite0", "network to build on; resnet50v2 is the other one")
    weights: str = _knob("imagenet", "what it knows: imagenet, none or the folder of a version")
    head_views: int = _knob(2_000, "pictures shown in stage one, which trains the head alone")
    views: int = _knob(36_000, "pictures shown in stage two, which trains the top layers too")
    top_layers: int = _knob(0, "layers of the network that stage two trains; 0: its usual number")
    batch: int = _knob(32, "pictures per step")
    head_rate: float = _knob(1e-3, "learning rate of stage one")
    rate: float = _knob(1e-3, "highest learning rate of stage two; it falls to 0 by a cosine")
    smoothing: float = _knob(0.05, "label smoothing, from 0 to 1")
    other_share: float = _knob(2.0, "how many times as often as a denomination Other is shown")
    patience: int = _knob(5, "epochs without a better one after which training stops")
    held_out_source: str = _knob(
        "", "hold out these sources' photos, separated by commas, instead of a fifth of each folder"
    )
    without: str = _knob(
        "", "effects that the views do without, separated by commas, such as fan,crease,glare"
    )
    seed: int = _knob(1, "of the split, the order and the pictures")
