"""The figures of a version as text: lines for a terminal, tables for Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from training.data.files import shown

MEASURES = {
    "top_1_denominations": "right denomination first",
    "bills_answered": "bills answered: right and sure",
    "bills_wrong_and_accepted": "bills answered with a wrong denomination",
    "bills_surely_called_other": "bills surely called something else",
    "other_taken_for_money": "other things taken for money",
    "top_1": "right class first, all pictures",
}


def lines(figures: dict[str, Any]) -> str:
    """Returns the figures as lines for a terminal."""
    text = [f"{'photos':<42}{figures['photos']:>8}"]
    text += [_line(says, figures[name]) for name, says in MEASURES.items()]
    text.append(f"{'expected calibration error':<42}{figures['expected_calibration_error']:>8.4f}")
    text.append(f"{'pictures per second, batches of 32':<42}{figures['pictures_per_second']:>8.1f}")
    text.append(_certainty(figures))
    if "slices" in figures:
        text += ["", listed(figures["slices"], "right denomination first, photos")]
    return "\n".join(text)


def listed(shares: dict[str, dict[str, Any]], title: str) -> str:
    """Returns shares as lines below a title, for a terminal."""
    return "\n".join([title, *(_line(name, value) for name, value in shares.items())])


def _certainty(figures: dict[str, Any]) -> str:
    wrong, risks = figures["wrong_among_sure"], figures["coverage_at_risk"]
    told = ", ".join(f"{share:.3f} at {100 * float(risk):g} %" for risk, share in risks.items())
    return (
        f"{'wrong among sure answers':<42}{wrong['count']} of {wrong['of']}, with 99 % confidence"
        f" at most {100 * wrong['at_most']:.2f} %\n"
        f"{'AUGRC':<42}{figures['augrc']:>8.4f}\n"
        f"{'share answered, by share of wrong answers':<42}{told}"
    )


def by_class(figures: dict[str, Any]) -> str:
    """Returns two shares of each class and of all pictures as lines for a terminal."""
    text = [f"{'class':<12}{'right first':<24}right and sure"]
    text += [
        f"{label:<12}{_percent(shares['recall']):<24}{_percent(shares['answered'])}"
        for label, shares in figures["by_class"].items()
    ]
    answered = [shares["answered"] for shares in figures["by_class"].values()]
    count, of = (sum(value[name] for value in answered) for name in ("count", "of"))
    both = {"count": count, "of": of, "share": count / of if of else None}
    return "\n".join([*text, f"{'all':<12}{_percent(figures['top_1']):<24}{_percent(both)}"])


def _percent(value: dict[str, Any]) -> str:
    if value["share"] is None:
        return "none to judge"
    return f"{value['count']} of {value['of']}, {100 * value['share']:.1f} %"


def _line(says: str, value: dict[str, Any]) -> str:
    if value["share"] is None:
        return f"{says:<42}    none to judge"
    low, high = value["interval"]
    return (
        f"{says:<42}{value['share']:>8.4f}  {value['count']} of {value['of']},"
        f" 95 % interval {low:.3f} to {high:.3f}"
    )


def table(shares: dict[str, dict[str, Any]], first: str) -> str:
    """Returns shares as a Markdown table, `first` heading its first column."""
    rows = []
    for name, value in shares.items():
        if value["share"] is not None:
            low, high = (f"{100 * bound:.1f}" for bound in value["interval"])
            counted = f"{value['count']} of {value['of']}"
            rows.append([name, counted, f"{100 * value['share']:.1f} %", f"{low} to {high} %"])
    head = markdown_rows([[first, "pictures", "share", "95 % interval"]])
    return "\n".join([head, "|---|---|---|---|", *([markdown_rows(rows)] if rows else [])])


def markdown_rows(rows: Iterable[Sequence[str]]) -> str:
    """Returns rows of a Markdown table; names of classes and files may have any characters."""
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _cell(text: str) -> str:
    return shown(text).replace("|", "\\|")
