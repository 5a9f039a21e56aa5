"""From the model's outputs to the answers of the API. The outputs include the class names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.client import BadReply


def read_answers(
    outputs: Mapping[str, np.ndarray], filenames: Sequence[str | None]
) -> list[dict[str, Any]]:
    """Convert one batch of model outputs to one answer for each picture.

    Args:
        outputs: `classes` bytes `[N, C]` most likely first, `probabilities` float32 `[N, C]`,
            `accepted` bool `[N]`, and from `explain` also `heatmap` float32 `[N, H, W]`.
        filenames: The N file names of the pictures.

    Returns:
        N dictionaries ready for JSON; `denomination` is None if the model is not sure.

    Raises:
        BadReply: The outputs do not follow the contract.
    """
    try:
        _check(outputs, len(filenames))
        return [_answer(outputs, n, filename) for n, filename in enumerate(filenames)]
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise BadReply(f"The outputs do not follow the contract: {error!r}") from error


def _check(outputs: Mapping[str, np.ndarray], count: int) -> None:
    classes, probabilities = outputs["classes"], outputs["probabilities"]
    if classes.shape != probabilities.shape or classes.ndim != 2 or classes.shape[1] == 0:
        raise ValueError(f"classes {classes.shape}, probabilities {probabilities.shape}")
    if len(classes) != count or outputs["accepted"].shape != (count,):
        raise ValueError(f"{len(classes)} answers for {count} pictures")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities that are not numbers")


def _answer(outputs: Mapping[str, np.ndarray], n: int, filename: str | None) -> dict[str, Any]:
    names = [name.decode() for name in outputs["classes"][n]]
    values = [round(float(value), 6) for value in outputs["probabilities"][n]]
    accepted = bool(outputs["accepted"][n])
    answer: dict[str, Any] = {
        "filename": filename,
        "denomination": names[0] if accepted else None,
        "accepted": accepted,
        "probabilities": dict(zip(names, values, strict=True)),
    }
    if "heatmap" in outputs:
        answer["heatmap"] = np.round(outputs["heatmap"][n].astype(float), 4).tolist()
    return answer
