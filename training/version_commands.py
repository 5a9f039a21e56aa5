"""The commands `export`, `reexport` and `convert` of `python -m training`."""

import argparse
from pathlib import Path
from typing import Any

from training import run_folder
from training.data import dataset
from training.data.dataset import Photo
from training.evaluation import model_card
from training.flags import command_line, names_of, next_message, scan


def export(given: argparse.Namespace) -> None:
    """Makes a version from a run, writes a report into the run's folder, and prints both paths."""
    version = None if given.again else _exported_before(given)
    if version:
        print(
            f"{version} is this run with these settings already: nothing is added (--again adds"
            " it).",
            flush=True,
        )
        if _report_of(given.folder).is_file():
            return
    photos, measured_on = scan(given), _measured_on(given)
    version = version or _added(given, photos, measured_on)
    _report(given.folder, version, photos, measured_on)
    print(
        f"report: {_report_of(given.folder)}\n"
        f"some pictures as the network saw them: {given.folder / run_folder.VIEWS}\n"
        f"{next_message(version)}"
    )


def _added(given: argparse.Namespace, photos: list[Photo], measured_on: list[Photo]) -> Path:
    """Makes a version, and says so at once: its report may fail or be stopped."""
    from training.export.version import export

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
    print(f"made: {version}", flush=True)
    given.stopped = f"{version} was added; only its report is missing."
    return version


def reexport(given: argparse.Namespace) -> None:
    """Makes a version from another version's weights, with the signatures of the current code."""
    from training.export.reexport import reexport

    models = given.models or given.model.absolute().parent
    print(reexport(given.model, models, command_line(), names_of(given)))


def convert(given: argparse.Namespace) -> None:
    """Converts a version for another engine, and prints what the file leaves out."""
    from training.export.convert import SUFFIXES, convert, described_in

    version: Path = given.version
    name = f"{version.absolute().parent.name}-{version.name}{SUFFIXES[given.to]}"
    file: Path = given.output or Path(name)
    print(f"converting {version}: about a minute", flush=True)
    about = convert(version, given.to, file, second_look=not given.one_look)
    print(f"made: {file}\nclasses, calibration and so on: {described_in(file)}")
    for part in about["left_out"]:
        print(f"left out: {part}")


def _measured_on(given: argparse.Namespace) -> list[Photo]:
    """Lists the readable photos of `--measured-on`, before the export, which takes minutes.

    `--relabel` and `--skip` may name folders that it lacks.
    """
    if not given.measured_on:
        return []
    return dataset.readable(dataset.scan(given.measured_on, dict(given.relabel), given.skip))


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


def _report_of(run: Path) -> Path:
    return run / "report" / "report.md"


def _report(run: Path, version: Path, photos: list[Photo], measured_on: list[Photo]) -> None:
    """Writes the report into the run's folder and prints the figures of each class."""
    from training.data.split import held_out_of
    from training.evaluation import evaluate, report, tables

    # An interrupted report leaves none, so that the same command writes it.
    _report_of(run).unlink(missing_ok=True)
    facts = model_card.read(version)
    asked = measured_on or held_out_of(facts, photos)
    print(f"writing the report: the version's answers to {len(asked):,} photos", flush=True)
    figures, answers = evaluate.evaluate(version, asked)
    report.write(_report_of(run).parent, version, facts, figures, answers, run)
    print(
        f"{'photos of --measured-on' if measured_on else 'held-out photos'}:\n"
        + tables.by_class(figures)
    )
    if not measured_on:
        print("Expect less on photos of other people; `evaluate` measures that.")
