"""The figures of a version as text: lines for a terminal, tables for Markdown."""

from typing import Any

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
    if "slices" in figures:
        text += ["", "right denomination first, photos"]
        text += [_line(name, value) for name, value in figures["slices"].items()]
    return "\n".join(text)


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
    rows = [f"| {first} | pictures | share | 95 % interval |", "|---|---|---|---|"]
    for name, value in shares.items():
        if value["share"] is not None:
            low, high = (f"{100 * bound:.1f}" for bound in value["interval"])
            counted = f"{value['count']} of {value['of']}"
            rows.append(
                f"| {name} | {counted} | {100 * value['share']:.1f} % | {low} to {high} % |"
            )
    return "\n".join(rows)
