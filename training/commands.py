"""What each command of `python -m training` does with its flags."""

import argparse
import json
import shlex
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from training import run_folder
from training.data import dataset, files
from training.data.dataset import Photo
from training.evaluation import model_card
from training.recipe import Recipe
from webapp import names


def inspect(given: argparse.Namespace) -> None:
    """Prints what is in a folder of photos, and draws some of each class."""
    from training.data import inspect

    found = inspect.look(scan(given))
    print(inspect.table(found))
    for line in files.lines(files.left_out(given.photos, given.skip)):
        print(line)
    given.sheet.parent.mkdir(parents=True, exist_ok=True)
    inspect.contact_sheet(found).save(given.sheet)
    print(f"contact sheet: {given.sheet}")


def fit(given: argparse.Namespace) -> None:
    """Trains a classifier, or continues with the recipe of the run."""
    from training.fit import fit

    photos = _scan_aloud(given)
    stated = {f.name: getattr(given, f.name) for f in fields(Recipe) if hasattr(given, f.name)}
    begun = asdict(run_folder.recipe_of(run_folder.read(given.folder))) if given.resume else {}
    recipe = Recipe(**{**begun, **stated})
    fit(photos, recipe, given.folder, typed(), resume=given.resume, tensorboard=given.tensorboard)


def export(given: argparse.Namespace) -> None:
    """Makes a version of a run, a report beside the run, and prints what was made."""
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
        names=_names(given),
    )
    _report(given.folder, version, photos, measured_on)
    print(
        f"report: {given.folder / 'report' / 'report.md'}\n"
        f"some pictures as the network saw them: {given.folder / run_folder.VIEWS}\n"
        f"{_made(version)}"
    )


def review(given: argparse.Namespace) -> None:
    """Shows feedback in a browser until Ctrl-C, then says what the accepted photos are for."""
    import webbrowser

    from training.review import server
    from webapp.feedback.store import ACCEPTED

    def opened(address: str) -> None:
        print(f"open {address} (Ctrl-C ends it)", flush=True)
        if given.browser:
            webbrowser.open(address)

    accepted = server.serve(given.folder, given.port, opened)
    print(f"\n{len(accepted)} photos are accepted.")
    if accepted:
        folder = shlex.quote(str(given.folder / ACCEPTED))
        print(f"next: .venv/bin/python -m training teach {folder}")


def reexport(given: argparse.Namespace) -> None:
    """Makes a version of another's weights, with the signatures of today's code."""
    from training.export.reexport import reexport

    print(reexport(given.model, given.models, typed(), _names(given)))


def convert(given: argparse.Namespace) -> None:
    """Writes a version for another engine, and prints what the file lacks."""
    from training.export.convert import SUFFIXES, convert

    version: Path = given.version
    name = f"{version.absolute().parent.name}-{version.name}{SUFFIXES[given.to]}"
    file: Path = given.output or Path(name)
    print(f"converting {version}: about a minute", flush=True)
    about = convert(version, given.to, file, second_look=not given.one_look)
    print(f"made: {file}\nclasses, calibration and so on: {file.with_suffix('.json')}")
    for part in about["left_out"]:
        print(f"left out: {part}")


def teach(given: argparse.Namespace) -> None:
    """Makes a version of another and new photos, and prints the next command."""
    from training.teaching.teach import STEPS, teach

    photos = _scan_aloud(given)
    version = teach(
        photos,
        given.model,
        given.models,
        typed(),
        given.lost_at_most,
        _names(given),
        given.steps or STEPS,
    )
    print(_made(version))


def rehearse(given: argparse.Namespace) -> None:
    """Writes the rehearsal set of a version beside it."""
    from training.data.split import split
    from training.rehearsal import parts, rehearsal

    card = model_card.read(given.model)
    recipe = run_folder.recipe_of(card)
    training, held_out = split(scan(given), recipe.seed, recipe.held_out_source)
    network = parts.of_version(given.model, card)
    rehearsal.gather(network, training, held_out, card["classes"], recipe.seed).write(given.model)
    print(f"rehearsal set: {rehearsal.file(given.model)}")


def evaluate(given: argparse.Namespace) -> None:
    """Prints the figures of a version, and writes its answers and a report where told to."""
    from training.evaluation import (
        answers_file,
        edges,
        evaluate,
        note_halves,
        precision,
        report,
        tables,
    )

    photos = _scan_aloud(given)
    figures, answers = evaluate.evaluate(given.model, photos, slices=given.slices)
    print(tables.lines(figures))
    if given.corners:
        halves = note_halves.evaluate_halves(given.model, photos, given.corners)
        figures["note_halves"] = halves
        print(f"\n{tables.listed(halves, 'right denomination first, half of the note covered')}")
    if given.edges:
        figures["edges"] = edges.evaluate_edges(given.model, photos)
        print(f"\n{tables.listed(figures['edges'], 'sure answers to pictures of no one bill')}")
    if given.bfloat16:
        figures["bfloat16"] = precision.compare(given.model, answers.photos, slices=given.slices)
        print(f"\n{precision.table(figures['bfloat16'])}")
    if given.answers:
        answers_file.write(given.answers, answers)
        print(f"answers: {given.answers}")
    if given.report:
        facts = model_card.read(given.model)
        report.write(given.report, given.model, facts, figures, answers, given.folder)
        print(f"report: {given.report / 'report.md'}")


def card(given: argparse.Namespace) -> None:
    """Prints a version's model card, or puts it into a document."""
    text = model_card.markdown(model_card.read(given.model))
    if given.into:
        model_card.put_into(given.into, text)
    else:
        print(text)


def typed() -> str:
    """Returns the command line, for a run's facts and model cards."""
    return files.shown(shlex.join(["python", "-m", "training", *sys.argv[1:]]))


def scan(given: argparse.Namespace) -> list[Photo]:
    """Reads a folder by `--relabel` and `--skip`, which must name sub-folders that exist."""
    if given.photos.is_dir():
        files.require_folders(given.photos, given.skip, "--skip")
        files.require_folders(given.photos, dict(given.relabel), "--relabel")
    return dataset.scan(given.photos, dict(given.relabel), given.skip)


def _names(given: argparse.Namespace) -> dict[str, Any]:
    """Reads the file of `--names`, by the same code as the front end."""
    if not given.names:
        return {}
    try:
        stated: dict[str, Any] = json.loads(given.names.read_bytes())
        names.parse(stated)
    except ValueError as error:
        raise ValueError(f"{given.names}: {error}") from error
    return stated


def _measured_on(given: argparse.Namespace) -> list[Photo]:
    """Reads the folder by the same `--relabel` and `--skip`, which need not all apply to it."""
    folder = given.measured_on
    return dataset.scan(folder, dict(given.relabel), given.skip) if folder else []


def _scan_aloud(given: argparse.Namespace) -> list[Photo]:
    """Does `scan`, and says on the error output which files are no photos of it."""
    photos = scan(given)
    for line in files.lines(files.left_out(given.photos, given.skip)):
        print(line, file=sys.stderr)
    return photos


def _made(version: Path) -> str:
    next_command = f".venv/bin/python -m serving rollout canary {version.name}"
    return f"made: {version}\nnext, while `make run` runs: {next_command}"


def _exported_before(given: argparse.Namespace) -> Path | None:
    """Returns the version that the same weights and settings made, if there is one."""
    settings: dict[str, Any] = {"risk": given.risk, "second_look_chosen": given.second_look is None}
    if given.second_look is not None:
        settings["second_look_below"] = given.second_look
    digest = run_folder.weights_digest(given.folder)
    if stated := _names(given):
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
    recipe = run_folder.recipe_of(facts)
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
