"""Every answer of a version as a CSV file, for a spreadsheet or a script."""

import csv
from pathlib import Path

from training.data.files import shown
from training.evaluation.measures import Answers

COLUMNS = ("file", "right", "answered", "probability", "sure")


def write(path: Path, answers: Answers) -> None:
    """Writes a line for each picture, in UTF-8.

    The columns are the file as `folder/name`, the right class, the most likely class, its
    probability in [0,1], and `yes` where the answer is accepted, else `no`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        for index, photo in enumerate(answers.photos):
            lines.writerow(
                [
                    shown(f"{photo.path.parent.name}/{photo.path.name}"),
                    photo.label,
                    answers.said[index],
                    f"{answers.confidence[index]:.6f}",
                    "yes" if answers.accepted[index] else "no",
                ]
            )
