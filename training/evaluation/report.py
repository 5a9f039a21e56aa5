"""The report of a version: a folder with tables, plots, every answer and the worst mistakes."""

import json
from pathlib import Path
from typing import Any

from training.data.drafts import replacing
from training.evaluation import answers_file, plots, precision
from training.evaluation.measures import Answers
from training.evaluation.tables import MEASURES, markdown_rows, table
from training.network import backbones

ANSWERS = "answers.csv"
MISTAKES = "mistakes.jpg"
UNSURE_SHOWN = 100


def write(
    folder: Path,
    version: Path,
    card: dict[str, Any],
    figures: dict[str, Any],
    answers: Answers,
    run: Path | None,
) -> None:
    """Writes `report.json`, `report.md`, `answers.csv` and the plots into `folder`.

    Args:
        folder: The folder of the report; it is created if it does not exist.
        version: The version that was evaluated.
        card: Its model card.
        figures: The figures of the answers.
        answers: The answers themselves.
        run: The training run, for the learning curves; None leaves them out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    answers_file.write(folder / ANSWERS, answers)
    drawn = _draw(folder, figures, card, run)
    if sheet := plots.mistakes(answers):
        sheet.save(folder / MISTAKES)
    else:
        (folder / MISTAKES).unlink(missing_ok=True)
    # Last and whole, since `export` takes it for a complete report.
    with replacing(folder / "report.md") as draft:
        draft.write_text(_markdown(version, figures, answers, drawn), encoding="utf-8")


def _draw(
    folder: Path, figures: dict[str, Any], card: dict[str, Any], run: Path | None
) -> dict[str, str]:
    """Draws the plots, and returns their file names with captions."""
    network = backbones.build(card["recipe"]["backbone"], "none")
    drawn = {
        "architecture.svg": (
            plots.architecture(network, card["classes"]),
            "The network, from left to right",
        ),
        "confusion.svg": (plots.confusion(figures), "Confusion matrix"),
        "reliability.svg": (
            plots.reliability(figures),
            "Calibration: how often an answer of a confidence is right",
        ),
        "risk_coverage.svg": (
            plots.risk_coverage(figures, card["threshold"]),
            "Risk and coverage: what it costs to answer more",
        ),
    }
    if run:
        drawn["learning.svg"] = (plots.learning(run / "log.csv"), "Learning curves")
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
        _certainty(figures),
        *(f"## {caption}\n\n![{caption}]({name})" for name, caption in drawn.items()),
        "## By class",
        table(by_class, "class"),
        "## Other things taken for money, by kind",
        table(figures["other_taken_for_money_by_kind"], "kind"),
    ]
    if "slices" in figures:
        parts += ["## The same bills under worse conditions", table(figures["slices"], "condition")]
    if "note_halves" in figures:
        parts += ["## The same notes, one half covered", table(figures["note_halves"], "half")]
    if "edges" in figures:
        parts += ["## Sure answers to pictures of no one bill", table(figures["edges"], "picture")]
    if "bfloat16" in figures:
        parts += ["## The same version in bfloat16", precision.table(figures["bfloat16"])]
    parts += ["## Mistakes, the surest first", *_mistakes(answers)]
    parts += ["## Not sure, the least sure first", *_unsure(answers)]
    return "\n\n".join(parts) + "\n"


def _certainty(figures: dict[str, Any]) -> str:
    wrong, risks = figures["wrong_among_sure"], figures["coverage_at_risk"]
    rows = [f"| {100 * float(risk):g} % | {100 * share:.1f} % |" for risk, share in risks.items()]
    return "\n".join(
        [
            f"Of {wrong['of']} sure answers {wrong['count']} are wrong: with 99 % confidence at"
            f" most {100 * wrong['at_most']:.2f} % of such answers, on pictures drawn like these."
            f" AUGRC {figures['augrc']:.4f}.\n",
            "| wrong among answered | pictures answered at most |",
            "|---|---|",
            *rows,
        ]
    )


def _mistakes(answers: Answers) -> list[str]:
    if not answers.mistakes:
        return ["None."]
    link = f"[The surest ones as one picture]({MISTAKES}); [every answer]({ANSWERS})."
    return [link, _listed(answers, answers.mistakes)]


def _unsure(answers: Answers) -> list[str]:
    unsure = answers.unsure
    if not unsure:
        return ["None."]
    more = len(unsure) - UNSURE_SHOWN
    rest = [f"And {more} more: [every answer]({ANSWERS})."] if more > 0 else []
    return [_listed(answers, unsure[:UNSURE_SHOWN]), *rest]


def _listed(answers: Answers, indices: list[int]) -> str:
    head = "| picture | was called | probability | sure |\n|---|---|---|---|"
    rows = [
        [
            f"{answers.photos[i].label}/{answers.photos[i].path.name}",
            answers.said[i],
            f"{answers.confidence[i]:.3f}",
            "yes" if answers.accepted[i] else "no",
        ]
        for i in indices
    ]
    return f"{head}\n{markdown_rows(rows)}"
