"""The figures of a version for people: a folder with tables and plots."""

import json
from pathlib import Path
from typing import Any

from training import backbones, plots
from training.measures import Answers
from training.tables import MEASURES, table


def write(
    folder: Path,
    version: Path,
    card: dict[str, Any],
    figures: dict[str, Any],
    answers: Answers,
    run: Path | None,
) -> None:
    """Writes `report.json`, `report.md` and the plots into `folder`.

    Args:
        folder: Made where it does not exist.
        version: The version that was asked.
        card: Its model card.
        figures: What came of it.
        answers: The answers themselves, for the picture of the worst mistakes.
        run: The training run, for the learning curves; None: without.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    drawn = _draw(folder, figures, card, run)
    (folder / "report.md").write_text(_markdown(version, figures, answers, drawn), encoding="utf-8")
    if sheet := plots.mistakes(answers):
        sheet.save(folder / "mistakes.jpg")


def _draw(
    folder: Path, figures: dict[str, Any], card: dict[str, Any], run: Path | None
) -> dict[str, str]:
    """Draws what there is to draw and returns file names with their captions."""
    network = backbones.build(card["recipe"]["backbone"], "none")
    drawn = {
        "architecture.svg": (
            plots.architecture(network, card["classes"]),
            "The network, from left to right",
        ),
        "confusion.svg": (plots.confusion(figures), "What was taken for what"),
        "reliability.svg": (plots.reliability(figures), "How often an answer is right"),
        "risk_coverage.svg": (
            plots.risk_coverage(figures, card["threshold"]),
            "What it costs to answer more",
        ),
    }
    if run:
        drawn["learning.svg"] = (plots.learning(run / "log.csv"), "How it learnt")
    for name, (figure, _) in drawn.items():
        plots.save(figure, folder / name)
    return {name: caption for name, (_, caption) in drawn.items()}


def _markdown(
    version: Path, figures: dict[str, Any], answers: Answers, drawn: dict[str, str]
) -> str:
    by_class = {
        f"{label}, {name}": value
        for label, both in figures["by_class"].items()
        for name, value in both.items()
    }
    parts = [
        f"# Version {version.name} of {version.parent.name} on {figures['photos']} pictures",
        table({says: figures[name] for name, says in MEASURES.items()}, "measure"),
        f"Expected calibration error {figures['expected_calibration_error']:.4f};"
        f" {figures['pictures_per_second']:.0f} pictures a second in batches of 32.",
        *(f"## {caption}\n\n![{caption}]({name})" for name, caption in drawn.items()),
        "## By class",
        table(by_class, "class"),
        "## Other things taken for money, by kind",
        table(figures["other_taken_for_money_by_kind"], "kind"),
    ]
    if "slices" in figures:
        parts += ["## The same bills under worse conditions", table(figures["slices"], "condition")]
    parts += ["## Mistakes, the surest first", _mistakes(answers)]
    return "\n\n".join(parts) + "\n"


def _mistakes(answers: Answers) -> str:
    rows = [
        f"| {answers.photos[i].label}/{answers.photos[i].path.name} | {answers.said[i]}"
        f" | {answers.confidence[i]:.3f} | {'yes' if answers.accepted[i] else 'no'} |"
        for i in answers.mistakes
    ]
    head = ["| picture | was called | probability | accepted |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) if rows else "None."
