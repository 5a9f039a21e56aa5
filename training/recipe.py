"""The settings of a training run. Imports no TensorFlow, so that `--help` is fast."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Any

NO_LIMIT = float("inf")

RISK = 0.01
"""The share of wrong answers among accepted ones that `export` tolerates by default."""


def setting(default: Any, text: str, least: float = -NO_LIMIT, most: float = NO_LIMIT) -> Any:
    """Returns a dataclass field that becomes a flag, with its default, help text and range."""
    return field(default=default, metadata={"help": text, "range": (least, most)})


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, except the photos; each field is a flag of `fit`.

    Raises:
        ValueError: A number is out of its range.
    """

    backbone: str = setting(
        "efficientnet_lite0", "network to build on: efficientnet_lite0 or resnet50v2"
    )
    weights: str = setting("imagenet", "initial weights: imagenet, none or the folder of a version")
    head_views: int = setting(
        2_000, "pictures shown in stage one, which trains the head alone", least=1
    )
    views: int = setting(
        36_000, "pictures shown in stage two, which trains the backbone too", least=1
    )
    top_layers: int = setting(
        0, "top layers that stage two trains; 0: all, or 70 of resnet50v2", least=0
    )
    batch: int = setting(32, "pictures per step", least=1)
    head_rate: float = setting(1e-3, "learning rate of stage one", least=1e-9)
    rate: float = setting(
        1e-3, "highest learning rate of stage two, which then falls to 0 along a cosine", least=1e-9
    )
    smoothing: float = setting(0.05, "label smoothing, from 0 to 1", least=0, most=1)
    other_share: float = setting(
        2.0, "how often Other is shown, as a multiple of a denomination", least=0
    )
    edges: float = setting(
        0.2,
        "share of the views, from 0 to 1, that show several bills, made-up values or textures",
        least=0,
        most=1,
    )
    class_weights: str = setting(
        "", "how many times as often as usual each class is shown, such as 10=3,50=1.5"
    )
    source_weights: str = setting(
        "",
        "how many times as often as usual each source (the start of a file's name) is shown within"
        " its classes, such as mine=5",
    )
    patience: int = setting(5, "epochs without improvement after which training stops", least=1)
    held_out_source: str = setting(
        "", "sources to hold out, separated by commas; empty: a fifth of each folder"
    )
    without: str = setting(
        "", "effects to leave out of the views, separated by commas, such as fan,crease,glare"
    )
    precision: str = setting(
        "float32", "precision of training: float32, or on a GPU mixed_float16 or mixed_bfloat16"
    )
    seed: int = setting(1, "seed of the split, the order and the views", least=0, most=2**32 - 1)

    def __post_init__(self) -> None:
        check_ranges(self)


def check_ranges(recipe: Any) -> None:
    """Checks that each number of a recipe is in its range.

    Raises:
        ValueError: A number is not; the message has the flag, the range and the number.
    """
    for one in fields(recipe):
        value, (least, most) = getattr(recipe, one.name), one.metadata["range"]
        if not isinstance(value, str) and not (least <= value <= most and math.isfinite(value)):
            flag = "--" + one.name.replace("_", "-")
            bounded = f"number from {least} to {most}"
            expected = bounded if most < NO_LIMIT else f"finite number of at least {least}"
            raise ValueError(f"Expected {flag} to be a {expected}. Received: {value}.")


def weights(text: str, known: Collection[str], what: str) -> dict[str, float]:
    """Parses a setting such as `10=3,50=1.5` into weights by name.

    Args:
        text: Pairs of a name and a number above 0, separated by commas; may be empty.
        known: The names that exist.
        what: The kind of name, for the error message: `class` or `source`.

    Raises:
        ValueError: The text has another form, or an unknown name.
    """
    found: dict[str, float] = {}
    for pair in filter(None, text.split(",")):
        name, _, number = pair.rpartition("=")
        if name not in known:
            raise ValueError(f"Unknown {what} {name!r} in {text!r}. Expected one of {list(known)}.")
        found[name] = _positive(number, text)
    return found


def _positive(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{number!r} in {text!r} is no weight. Expected a number above 0.")
    return value
