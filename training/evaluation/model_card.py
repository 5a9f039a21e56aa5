"""The model card: purpose, data, recipe and figures of a version."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.data.dataset import Photo, by_source
from training.evaluation.tables import MEASURES, markdown_rows, table

CARD = "model_card.json"
BEGIN, END = (
    "<!-- model card: written by `python -m training card` -->",
    "<!-- end of model card -->",
)

PURPOSE = {
    "for": "Naming the value of a US bill in a photo, for people who cannot see it; an example of"
    " how a classifier is served.",
    "not_for": "Telling real bills from counterfeits or play money; accepting payment; counting"
    " several bills in one picture; other currencies.",
}

COUNTER_PURPOSE = {
    "for": "Finding the US bills in a photo of several, and adding up their value, for people who"
    " cannot see them.",
    "not_for": "Telling real bills from counterfeits or play money; counting a closed wad, of which"
    " only the top is seen; other currencies.",
}


def with_names(card: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Returns a card with the values and words of some classes added.

    Args:
        card: A card with its `classes`; what it states of other classes stays.
        names: The values and words by class, in the format of `webapp.names`.

    Raises:
        ValueError: `names` has an unknown class.
    """
    if unknown := sorted(names.keys() - set(card["classes"])):
        raise ValueError(f"Unknown class {unknown[0]!r}. Expected one of {card['classes']}.")
    known = card.get("names", {}) | names
    return {**card, "names": known} if known else card


def write(folder: Path, facts: dict[str, Any], photos: list[Photo]) -> None:
    """Writes `assets.extra/model_card.json` into a version's folder.

    Args:
        folder: The version.
        facts: The facts of the run and of the export.
        photos: The photos that the version was trained and calibrated on.
    """
    _write(folder, {**PURPOSE, **facts, "data": by_source(photos), "libraries": _libraries()})


def write_reexported(folder: Path, card: dict[str, Any], command: str) -> None:
    """Writes the card of a version whose weights were exported again.

    Args:
        folder: The new version.
        card: The card of the version that it was made from.
        command: The command line of the export.
    """
    _write(folder, {**card, "reexported": {"command": command, "libraries": _libraries()}})


def write_taught(folder: Path, card: dict[str, Any]) -> None:
    """Writes the card of a version that was taught new photos, see `training.teaching`."""
    _write(folder, {**card, "libraries": _libraries()})


def write_counter(folder: Path, facts: dict[str, Any], photos: list[Photo]) -> None:
    """Writes the card of a version of the counter, see `write`."""
    write(folder, {**COUNTER_PURPOSE, **facts}, photos)


def _libraries() -> dict[str, str]:
    names = ("tensorflow", "keras", "numpy", "pillow")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _write(folder: Path, card: dict[str, Any]) -> None:
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    path(folder).parent.mkdir(exist_ok=True)
    path(folder).write_text(text, encoding="utf-8")


def path(folder: Path) -> Path:
    """Returns the path of the card of the version in `folder`."""
    return folder / "assets.extra" / CARD


def read(folder: Path) -> dict[str, Any]:
    """Returns the card of the version in `folder`.

    Raises:
        FileNotFoundError: The version has no card.
    """
    if not path(folder).is_file():
        raise FileNotFoundError(f"{folder} has no model card ({path(folder)}).")
    card: dict[str, Any] = json.loads(path(folder).read_text(encoding="utf-8"))
    return card


def read_classifier(folder: Path) -> dict[str, Any]:
    """Returns the card of the version in `folder`, after checking that it is no counter's.

    Raises:
        FileNotFoundError: The version has no card.
        ValueError: It is a version of the counter.
    """
    card = read(folder)
    if card.get("kind") == "counter":
        raise ValueError(f"{folder} is a version of the counter; evaluate-count measures it.")
    return card


def find(models: Path, facts: dict[str, Any]) -> Path | None:
    """Returns the newest version in the folder `models` whose card holds all of `facts`.

    A taught version is none, since its card holds the facts of the version that was taught.
    """
    numbered = [folder for folder in models.glob("*") if folder.name.isdigit()]
    for folder in sorted(numbered, key=lambda folder: int(folder.name), reverse=True):
        if path(folder).is_file():
            card = read(folder)
            same = all(card.get(name) == value for name, value in facts.items())
            if same and "taught" not in card:
                return folder
    return None


def markdown(card: dict[str, Any]) -> str:
    """Returns the card as the README shows it."""
    measured = card["measures"].get("other_source") or card["measures"]["held_out"]
    parts = [
        f"**For:** {card['for']}",
        f"**Not for:** {card['not_for']}",
        _data(card),
        _judged_by(card),
        table({says: measured[name] for name, says in MEASURES.items()}, "measure"),
        f"Expected calibration error {measured['expected_calibration_error']:.3f}. An answer counts"
        f" as sure from a probability of {card['threshold']:.2f}{_stricter(card)}.",
        _bound(card, measured),
    ]
    if below := card.get("second_look_below"):
        parts.append(
            f"Where the first look is less sure than {below:g}, the graph looks again, at the"
            " middle enlarged, and answers with a weighted mean of both looks."
        )
    if slices := measured.get("slices"):
        parts += [
            "The same bills under worse conditions, right denomination first:",
            table(_summed_up(slices), "condition"),
            _weaknesses(slices),
        ]
    parts.append(_sources(card["data"], card["classes"]))
    return "\n\n".join(parts)


def _stricter(card: dict[str, Any]) -> str:
    """Returns the classes with a higher threshold, which a taught version may have."""
    needs = card.get("stricter", {}).items()
    return "".join(f", `{name}` from {least:.3f}" for name, least in needs)


def _data(card: dict[str, Any]) -> str:
    training, held_out = (sum(card["photos"][part].values()) for part in ("training", "held_out"))
    return (
        f"**Made of:** {card['recipe']['backbone']}, {training:,} pictures from"
        f" {len(card['data'])} sources to learn from and {held_out:,} more to calibrate on, by"
        f" `{card['command']}`."
    )


def _judged_by(card: dict[str, Any]) -> str:
    if card["measures"].get("other_source"):
        return "The figures are of pictures from one further source, which it never learnt from."
    return (
        "The figures are of the pictures that were held out. They come from the sources that it"
        " learnt from and also chose its threshold: expect less on photos of other people."
    )


def _bound(card: dict[str, Any], measured: dict[str, Any]) -> str:
    """Returns the error bound of sure answers, and the photos that it rests on, in words."""
    selection, wrong = card["selection"], measured["wrong_among_sure"]
    held_out = (
        f"The threshold was chosen on {selection['of']:,} held-out photos of the sources that it"
        f" learnt from: {selection['wrong']} of"
        f" {selection['accepted']:,} sure answers were wrong, so with 99 % confidence at most"
        f" {100 * selection['at_most']:.2f} % are."
    )
    if not card["measures"].get("other_source"):
        return held_out
    return (
        f"**At most {100 * wrong['at_most']:.2f} % of its sure answers are wrong, with 99 %"
        f" confidence, on photos of a source that it never saw**: {wrong['count']} of"
        f" {wrong['of']} were. This holds for photos drawn as those were, with as many bills and"
        f" other things among them. {held_out}"
    )


def _weaknesses(slices: dict[str, dict[str, Any]]) -> str:
    """Returns the three conditions of the lowest accuracy, in words."""
    worst = sorted(slices, key=lambda name: slices[name]["share"])[:3]
    told = ", ".join(f"{name} ({100 * slices[name]['share']:.1f} %)" for name in worst)
    return f"**Known weaknesses:** {told}; play money that imitates a bill passes for money."


def _sources(data: dict[str, dict[str, int]], labels: list[str]) -> str:
    """Returns the number of pictures of each source and class, as a table to unfold."""
    rows = [
        [source or "no name", *(str(counted.get(label, "")) for label in labels)]
        for source, counted in data.items()
    ]
    listed = markdown_rows([["source", *labels], ["---"] * (1 + len(labels)), *rows])
    title = "Pictures by source and class"
    return f"<details><summary>{title}</summary>\n\n{listed}\n\n</details>"


def _summed_up(slices: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns the slices, with only the worst of the turned slices."""
    turned = {name: value for name, value in slices.items() if name.startswith("turned by")}
    worst = min(turned, key=lambda name: turned[name]["count"])
    kept = {name: value for name, value in slices.items() if name not in turned}
    return {f"{worst} degrees, the worst of {len(turned)} turns": turned[worst], **kept}


def put_into(document: Path, text: str) -> None:
    """Replaces the text between the card's two markers in a Markdown file.

    Raises:
        ValueError: The file lacks a marker.
    """
    whole = document.read_text(encoding="utf-8")
    before, begin, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document} has no place for the card. Expected {BEGIN} and {END}.")
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
