"""Nested folds of whole sources: measures a recipe on sources that training does not see.

A published version learns from every source, so its photos cannot show how it does on the photos of
a new source. Here each source is left out once. Training, early stopping, calibration, and the
choice of threshold and second look use only the other sources, as `fit` and `export` use all of
them. The finished version is then evaluated on the photos that were left out.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from training import run_folder
from training.data.dataset import OTHER, Photo, classes_of
from training.data.split import fingerprint, split
from training.evaluation import model_card, tables
from training.evaluation.evaluate import Version
from training.evaluation.measures import Answers, measures, share
from training.export.version import export
from training.fit import fit
from training.progress import say
from training.recipe import RISK, Recipe, weights


class Fold(NamedTuple):
    """The result for the sources that were left out together.

    Attributes:
        sources: The names of the sources.
        answers: The answers to their photos, by the version made without them.
        threshold: The lowest probability at which that version accepts an answer.
        kinds: The kinds of `Other` among the photos that the version was made from.
    """

    sources: list[str]
    answers: Answers
    threshold: float
    kinds: set[str]


def source_folds(photos: list[Photo], count: int) -> list[list[str]]:
    """Returns the sources in `count` groups with similar numbers of bills and of other things.

    Photos without a source are in no group: every fold trains on them.

    Raises:
        ValueError: There are fewer than `count` sources.
    """
    bills = Counter(photo.source for photo in photos if photo.label != OTHER)
    others = Counter(photo.source for photo in photos if photo.label == OTHER)
    sources = sorted({*bills, *others} - {""}, key=lambda name: (-bills[name], -others[name], name))
    if len(sources) < count:
        raise ValueError(
            f"Expected at least {count} sources. Received: {', '.join(sources) or 'none'}. The"
            " source of a photo is its file name up to the last hyphen, such as `mine-001.jpg`."
        )
    folds: list[list[str]] = [[] for _ in range(count)]
    for name in sources:
        counted = bills if bills[name] else others
        min(folds, key=lambda fold: sum(counted[source] for source in fold)).append(name)
    return folds


def run(photos: list[Photo], recipe: Recipe, folder: Path, command: str, count: int) -> list[Fold]:
    """Trains, exports and evaluates a version per fold; reuses a version already in `folder`.

    Raises:
        ValueError: Too few sources, too few photos or classes outside a fold, a recipe that starts
            from a version, holds out a source or weights an unknown one, or `folder` has folds of
            another recipe or of other photos.
    """
    if recipe.weights not in ("imagenet", "none"):
        raise ValueError(
            f"Expected --weights imagenet or none. Received: {recipe.weights}, which may have"
            " learnt from any source."
        )
    if recipe.held_out_source:
        raise ValueError("Each fold holds out its own sources. Expected no --held-out-source.")
    weights(recipe.class_weights, classes_of(photos), "class")
    weights(recipe.source_weights, {photo.source for photo in photos}, "source")
    return [
        _fold(photos, recipe, folder / f"fold-{number}", command, sources)
        for number, sources in enumerate(source_folds(photos, count), 1)
    ]


def _fold(
    photos: list[Photo], recipe: Recipe, folder: Path, command: str, sources: Sequence[str]
) -> Fold:
    say(f"left out: {', '.join(sources)}")
    seen, left_out = split(photos, recipe.seed, ",".join(sources))
    recipe = _without_absent(recipe, seen)
    version = folder / "us_bills" / "1"
    if version.is_dir():
        run_folder.require_same(run_folder.read(folder), recipe, fingerprint(seen))
    else:
        begun = (folder / run_folder.STATE).is_file()
        fit(seen, recipe, folder, command, resume=begun)
        version = export(folder, seen, [], version.parent, RISK, None)
    # `left_out` also has near-copies from other sources; these belong to neither group.
    strangers = [photo for photo in left_out if photo.source in sources]
    answers = Version(version).ask(strangers)
    threshold = float(model_card.read(version)["threshold"])
    return Fold(list(sources), answers, threshold, {photo.kind for photo in seen})


def _without_absent(recipe: Recipe, photos: list[Photo]) -> Recipe:
    """Returns the recipe without the weights of classes and sources that the photos lack."""
    classes, sources = classes_of(photos), {photo.source for photo in photos}
    return replace(
        recipe,
        class_weights=_only(recipe.class_weights, classes),
        source_weights=_only(recipe.source_weights, sources),
    )


def _only(text: str, names: Collection[str]) -> str:
    return ",".join(pair for pair in text.split(",") if pair.rpartition("=")[0] in names)


def figures(folds: list[Fold]) -> dict[str, Any]:
    """Returns the measures of each fold and of all folds together, ready for JSON.

    `withheld` is the share of pictures of kinds new to the version that it takes for money.
    """
    return {
        "folds": [
            {
                "sources": fold.sources,
                "threshold": fold.threshold,
                "withheld": _withheld([fold]),
                **measures(fold.answers),
            }
            for fold in folds
        ],
        "all": {"withheld": _withheld(folds), **measures(_joined(folds))},
    }


def _joined(folds: list[Fold]) -> Answers:
    answers = [fold.answers for fold in folds]
    return Answers(
        photos=[photo for one in answers for photo in one.photos],
        said=[said for one in answers for said in one.said],
        confidence=np.concatenate([one.confidence for one in answers]),
        accepted=np.concatenate([one.accepted for one in answers]),
        # Versions without a source may lack a class, and nothing reads them of all folds.
        probabilities=np.empty((sum(len(one.said) for one in answers), 0), np.float32),
    )


def _withheld(folds: list[Fold]) -> dict[str, Any]:
    return share(
        np.array(
            [
                bool(sure) and said != OTHER
                for fold in folds
                for photo, said, sure in zip(
                    fold.answers.photos, fold.answers.said, fold.answers.accepted, strict=True
                )
                if photo.label == OTHER and photo.kind and photo.kind not in fold.kinds
            ],
            dtype=bool,
        )
    )


def markdown(found: dict[str, Any]) -> str:
    """Returns the figures as a Markdown page: all folds together, then each fold."""
    whole = found["all"]
    bound = whole["wrong_among_sure"]
    parts = [
        "# The recipe on sources that it never saw\n",
        tables.table(_rows(whole), "all folds together"),
        f"\nOf {bound['of']:,} sure answers {bound['count']} are wrong: with 99 % confidence at"
        f" most {100 * bound['at_most']:.2f} % of such answers.",
    ]
    for fold in found["folds"]:
        title = f"without {', '.join(fold['sources'])}"
        parts += [
            f"\nSure from a probability of {fold['threshold']:.3f}:\n",
            tables.table(_rows(fold), title),
        ]
    return "\n".join(parts) + "\n"


def _rows(figures: dict[str, Any]) -> dict[str, Any]:
    rows = {says: figures[name] for name, says in tables.MEASURES.items()}
    return {**rows, "other things of kinds that it never saw, taken for money": figures["withheld"]}
