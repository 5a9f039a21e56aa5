"""From the model's outputs to the answers of the API. The outputs include the class names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.client import BadReply


def read_answers(
    outputs: Mapping[str, np.ndarray], filenames: Sequence[str | None], explained: bool = False
) -> list[dict[str, Any]]:
    """Convert one batch of model outputs to one answer for each picture.

    Args:
        outputs: `classes` bytes `[N, C]` most likely first, `probabilities` float32 `[N, C]`,
            `accepted` bool `[N]`, and from `explain` also `heatmap` float32 `[N, H, W]`.
        filenames: The N file names of the pictures.
        explained: Whether the outputs are those of `explain`.

    Returns:
        N dictionaries ready for JSON; `denomination` is None if the model is not sure.

    Raises:
        BadReply: The outputs do not follow the contract.
    """
    try:
        _check(outputs, len(filenames))
        if explained or "heatmap" in outputs:
            _check_heatmap(outputs["heatmap"], len(filenames))
        return [_answer(outputs, n, filename) for n, filename in enumerate(filenames)]
    except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise BadReply(f"The outputs do not follow the contract: {error!r}") from error


def _check(outputs: Mapping[str, np.ndarray], count: int) -> None:
    classes, probabilities, accepted = (
        outputs[name] for name in ("classes", "probabilities", "accepted")
    )
    if classes.shape != probabilities.shape or classes.ndim != 2 or classes.shape[1] == 0:
        raise ValueError(f"classes {classes.shape}, probabilities {probabilities.shape}")
    if len(classes) != count or accepted.shape != (count,):
        raise ValueError(f"{len(classes)} answers for {count} pictures")
    if accepted.dtype != np.bool_:
        raise ValueError(f"accepted: expected bool, received {accepted.dtype}")
    _require_shares("probabilities", probabilities)


def _check_heatmap(heatmap: np.ndarray, count: int) -> None:
    if heatmap.ndim != 3 or len(heatmap) != count:
        raise ValueError(f"heatmap: expected [{count}, H, W], received {heatmap.shape}")
    _require_shares("heatmap", heatmap)


def _require_shares(name: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected numbers, received {array.dtype}")
    # Rounding may lift a share a little above 1.
    if not ((array >= 0) & (array <= 1.001)).all():
        raise ValueError(f"{name}: expected 0 to 1, received {array.min()} to {array.max()}")


def _answer(outputs: Mapping[str, np.ndarray], n: int, filename: str | None) -> dict[str, Any]:
    names = [name.decode() for name in outputs["classes"][n]]
    values = [round(min(1.0, float(value)), 6) for value in outputs["probabilities"][n]]
    accepted = bool(outputs["accepted"][n])
    answer: dict[str, Any] = {
        "filename": filename,
        "denomination": names[0] if accepted else None,
        "accepted": accepted,
        "probabilities": dict(zip(names, values, strict=True)),
    }
    if "heatmap" in outputs:
        shares = np.minimum(1.0, outputs["heatmap"][n].astype(float))
        answer["heatmap"] = np.round(shares, 4).tolist()
    return answer
