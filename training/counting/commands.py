"""The commands of the counter: `fit-count`, `export-count` and `evaluate-count`."""

import argparse
import shlex
from dataclasses import replace

from training import run_folder
from training.counting.recipe import CountRecipe
from training.flags import command_line, photo_flags, scan, scan_and_warn, stated


def fit_count(given: argparse.Namespace) -> None:
    """Trains a counter, or resumes a run with the run's own recipe."""
    from training.counting.fit import fit

    photos = scan_and_warn(given)
    begun = CountRecipe()
    if given.resume:
        begun = run_folder.recipe_of(run_folder.read(given.folder), CountRecipe)
    recipe = replace(begun, **stated(given, CountRecipe))
    fit(photos, recipe, given.folder, command_line(), resume=given.resume)
    export = ["-m", "training", "export-count", *photo_flags(given), "--run", str(given.folder)]
    print(
        f"some scenes as the detector saw them: {given.folder / 'scenes.png'}\n"
        f"next: {shlex.join(['.venv/bin/python', *export])}"
    )


def export_count(given: argparse.Namespace) -> None:
    """Makes a version of a trained counter."""
    from training.counting.evaluation import report
    from training.counting.export import export
    from training.evaluation import model_card

    version = export(given.folder, scan(given), given.models, given.scenes)
    print(report.lines(model_card.read(version)["measures"]["held_out_scenes"]))
    print(f"made: {version}")


def evaluate_count(given: argparse.Namespace) -> None:
    """Prints the figures of a version of the counter; writes a report if `--report` is given."""
    from training.counting.evaluation import evaluate, report
    from training.counting.scenes.stock import stock_of
    from training.data import corners

    photos = scan(given)
    marked, single = (corners.checked(file, photos) for file in (given.corners, given.single))
    stock = stock_of(photos, marked, single, alone=bool(marked))
    scenes = evaluate.of_scenes(given.model, stock, given.scenes)
    print(report.lines(scenes))
    real = evaluate.of_photos(given.model, photos)
    print(report.lines(real))
    if given.report:
        text = "\n\n".join([report.table(scenes), *(report.table({k: v}) for k, v in real.items())])
        picture = report.sheet(evaluate.signature(given.model), stock)
        print(f"report: {report.write(given.report, given.model, text, picture)}")
