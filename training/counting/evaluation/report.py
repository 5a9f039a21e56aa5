"""The figures of a counter as text, and pictures with the bills that it found."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.augmentation.camera import Pixels
from training.counting.evaluation import judging
from training.counting.evaluation.evaluate import SEED
from training.counting.scenes.drawing import outline
from training.counting.scenes.stock import Stock

_SHOWN = 5


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Returns a Markdown table: a row for each kind of picture, a column for each figure."""
    columns = list(next(iter(figures.values())))
    lines = ["| pictures | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {kind} | " + " | ".join(_told(row[name]) for name in columns) + " |"
        for kind, row in figures.items()
    ]
    return "\n".join(lines)


def lines(figures: dict[str, dict[str, Any]]) -> str:
    """Returns the figures as lines for a terminal."""
    text = []
    for kind, row in figures.items():
        text.append(kind)
        text += [f"  {name:<40}{_told(value):>20}" for name, value in row.items()]
    return "\n".join(text)


def _told(value: dict[str, Any]) -> str:
    if value["share"] is None:
        return "none"
    return f"{value['count']} of {value['of']}, {100 * value['share']:.1f} %"


def sheet(answer: Any, stock: Stock) -> Image.Image:
    """Returns some scenes of each kind with the bills found; a red frame means not accepted.

    Args:
        answer: The signature of a version.
        stock: The photos that scenes are made of.
    """
    rows = []
    for kind in judging.kinds_of(stock).values():
        made = judging.scenes(kind, stock, SEED + 1, _SHOWN, hard=True)
        rows.append(np.hstack([_found(answer, scene.pixels) for scene in made]))
    return Image.fromarray(np.vstack(rows))


def _found(answer: Any, pixels: Pixels) -> Pixels:
    given = {name: value.numpy()[0] for name, value in answer(image=pixels[None]).items()}
    drawn = pixels.copy()
    for place in range(given["count"]):
        outline(drawn, given["boxes"][place], given["classes"][place].decode())
    if not given["accepted"]:
        drawn[:6], drawn[-6:], drawn[:, :6], drawn[:, -6:] = ([255, 0, 0],) * 4
    return np.asarray(drawn, np.uint8)


def write(folder: Path, version: Path, text: str, picture: Image.Image) -> Path:
    """Writes `report.md` and its picture into `folder`, and returns the path of `report.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / "scenes.png")
    report = folder / "report.md"
    report.write_text(
        f"# Report of {version}\n\n{text}\n\n"
        "![scenes with what was found; a red frame: the list is not accepted](scenes.png)\n",
        encoding="utf-8",
    )
    return report
