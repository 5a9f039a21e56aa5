"""The commands `export`, `reexport` and `convert` of `python -m training`."""

import argparse
from pathlib import Path
from typing import Any

from training import run_folder
from training.data import dataset
from training.data.dataset import Photo
from training.evaluation import model_card
from training.flags import command_line, made_message, names_of, scan
from training.recipe import Recipe


def export(given: argparse.Namespace) -> None:
    """Makes a version from a run, writes a report into the run's folder, and prints both paths."""
    from training.export.version import export

    if not given.again and (same := _exported_before(given)):
        print(
            f"{same} is this run with these settings already: nothing is added (--again adds it)."
        )
        return
    photos = scan(given)
    measured_on = _measured_on(given)
    print("exporting: calibration on held-out photos, then the version's figures", flush=True)
    version = export(
        given.folder,
        photos,
        measured_on,
        given.models,
        given.risk,
        given.second_look,
        names=names_of(given),
    )
    _report(given.folder, version, photos, measured_on)
    print(
        f"report: {given.folder / 'report' / 'report.md'}\n"
        f"some pictures as the network saw them: {given.folder / run_folder.VIEWS}\n"
        f"{made_message(version)}"
    )


def reexport(given: argparse.Namespace) -> None:
    """Makes a version from another version's weights, with the signatures of the current code."""
    from training.export.reexport import reexport

    print(reexport(given.model, given.models, command_line(), names_of(given)))


def convert(given: argparse.Namespace) -> None:
    """Converts a version for another engine, and prints what the file leaves out."""
    from training.export.convert import SUFFIXES, convert

    version: Path = given.version
    name = f"{version.absolute().parent.name}-{version.name}{SUFFIXES[given.to]}"
    file: Path = given.output or Path(name)
    print(f"converting {version}: about a minute", flush=True)
    about = convert(version, given.to, file, second_look=not given.one_look)
    print(f"made: {file}\nclasses, calibration and so on: {file.with_suffix('.json')}")
    for part in about["left_out"]:
        print(f"left out: {part}")


def _measured_on(given: argparse.Namespace) -> list[Photo]:
    """Lists the photos of `--measured-on`; `--relabel` and `--skip` may name folders it lacks."""
    folder = given.measured_on
    return dataset.scan(folder, dict(given.relabel), given.skip) if folder else []


def _exported_before(given: argparse.Namespace) -> Path | None:
    """Returns the version that was made from the same weights and settings, if there is one."""
    settings: dict[str, Any] = {"risk": given.risk, "second_look_chosen": given.second_look is None}
    if given.second_look is not None:
        settings["second_look_below"] = given.second_look
    digest = run_folder.weights_digest(given.folder)
    if stated := names_of(given):
        settings["names"] = stated
    same = model_card.find(given.models, {"weights_sha256": digest, **settings})
    if same and given.measured_on and "other_source" not in model_card.read(same)["measures"]:
        return None
    return same


def _report(run: Path, version: Path, photos: list[Photo], measured_on: list[Photo]) -> None:
    """Writes the report into the run's folder and prints the figures of each class."""
    from training.data.split import split
    from training.evaluation import evaluate, report, tables

    facts = model_card.read(version)
    recipe = run_folder.recipe_of(facts, Recipe)
    asked = measured_on or split(photos, recipe.seed, recipe.held_out_source)[1]
    print(f"writing the report: the version's answers to {len(asked):,} photos", flush=True)
    figures, answers = evaluate.evaluate(version, asked)
    report.write(run / "report", version, facts, figures, answers, run)
    print(
        f"{'photos of --measured-on' if measured_on else 'held-out photos'}:\n"
        + tables.by_class(figures)
    )
    if not measured_on:
        print("Expect less on photos of other people; `evaluate` measures that.")
