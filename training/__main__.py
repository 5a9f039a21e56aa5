"""The command line: `python -m training inspect | fit | export | ...`; `--help` lists all."""

import argparse
import importlib
import os
import sys
from functools import partial
from pathlib import Path

from training.counting.flags import add_counter
from training.flags import (
    NEW_RUN,
    SHIPPED,
    add_models,
    add_names,
    add_photos,
    add_recipe,
    add_run,
    fraction,
    whole,
)
from training.recipe import RISK, Recipe

# Set before TensorFlow is imported: its start-up messages say nothing about a training run.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# On processors without AVX-512 TensorFlow would not use oneDNN, though it is faster there too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

INTERRUPTED = 130  # what shells return after Ctrl-C: 128 and the number of SIGINT


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit status.

    Returns:
        0, or 2 for invalid input, or 130 after Ctrl-C.
    """
    given = parser().parse_args(arguments)
    try:
        _run(given)
    except (ValueError, OSError) as error:
        print(f"training {given.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ntraining {given.command}: stopped. {given.stopped}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _run(given: argparse.Namespace) -> None:
    """Imports the commands here, so that `--help` needs no TensorFlow."""
    module = importlib.import_module(given.module)
    getattr(module, given.command.replace("-", "_"))(given)


def parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands."""
    root = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    root.set_defaults(module="training.commands", stopped="Nothing was added.")
    commands = root.add_subparsers(dest="command", required=True)

    inspect = commands.add_parser("inspect", help="look at a folder of photos before training")
    add_photos(inspect)
    inspect.add_argument(
        "--sheet",
        type=Path,
        default=Path("runs/photos.jpg"),
        help="file to write a picture of some photos of each class to (default: %(default)s)",
    )

    fit = commands.add_parser("fit", help="train a classifier on a folder of photos")
    add_photos(fit)
    add_run(fit, "runs/latest", NEW_RUN)
    fit.add_argument(
        "--resume",
        action="store_true",
        help="continue --run after its last finished epoch, or after stage one, with its recipe",
    )
    fit.add_argument(
        "--tensorboard", type=Path, metavar="FOLDER", help="folder for TensorBoard logs"
    )
    fit.set_defaults(stopped="Continue after the last finished epoch with --resume.")
    add_recipe(fit, Recipe)

    folds = commands.add_parser(
        "folds",
        help="measure a recipe on sources that training does not see: each is left out once",
    )
    add_photos(folds)
    add_run(folds, "runs/folds", "folder of the folds' runs and of the report")
    folds.add_argument(
        "--folds",
        type=partial(whole, least=2),
        default=3,
        help="number of folds (default: %(default)s)",
    )
    folds.set_defaults(stopped="The same command continues after the last finished epoch.")
    add_recipe(folds, Recipe)

    export = commands.add_parser("export", help="make a version from a trained run")
    add_photos(export)
    add_run(export, "runs/latest", "folder of the run")
    add_models(export, SHIPPED)
    export.add_argument(
        "--measured-on", type=Path, help="photos of another source, to measure the version on"
    )
    export.add_argument(
        "--risk",
        type=fraction,
        default=RISK,
        help="largest share of wrong answers among accepted ones, 0 to 1; holds with 99 %%"
        " confidence if the photos are enough to show it (default: %(default)s)",
    )
    export.add_argument(
        "--second-look",
        type=fraction,
        metavar="BELOW",
        help="look again, at the middle of the picture, if the probability is below this; 0: never"
        " (default: the lowest value that is about as good as the best one on held-out photos)",
    )
    export.add_argument(
        "--again",
        action="store_true",
        help="add a version even if the same run and settings have already made one",
    )
    add_names(export)
    export.set_defaults(module="training.version_commands")

    review = commands.add_parser(
        "review", help="look at photos that people sent back, and accept those to train on"
    )
    review.add_argument("folder", type=Path, help="the folder that US_BILLS_FEEDBACK names")
    review.add_argument(
        "--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)"
    )
    review.add_argument(
        "--no-browser", dest="browser", action="store_false", help="only print the address"
    )

    reexport = commands.add_parser(
        "reexport", help="make a version from another's weights, with the current code's signatures"
    )
    reexport.add_argument("--model", type=Path, required=True, help="e.g. models/us_bills/1")
    add_models(reexport, None)
    add_names(reexport)
    reexport.set_defaults(module="training.version_commands")

    convert = commands.add_parser("convert", help="convert a version to ONNX or LiteRT")
    convert.add_argument("version", type=Path, help="e.g. models/us_bills/1")
    convert.add_argument("--to", choices=("onnx", "litert"), required=True)
    convert.add_argument("--output", type=Path, help="file (default: such as us_bills-1.onnx)")
    convert.add_argument(
        "--one-look", action="store_true", help="no second look: half the time, more unsure answers"
    )
    convert.set_defaults(module="training.version_commands")

    teach = commands.add_parser(
        "teach", help="train a version on new photos, without its old training photos"
    )
    add_photos(teach)
    teach.add_argument(
        "--model",
        type=Path,
        default=SHIPPED / "1",
        help="folder of the version that learns (default: %(default)s)",
    )
    add_models(teach, None)
    teach.add_argument(
        "--lost-at-most",
        type=fraction,
        default=0.1,
        help="largest share of its held-out pictures that a class may lose, 0 to 1; if one loses"
        " more, and not by chance, no version is added (default: %(default)s)",
    )
    teach.add_argument(
        "--steps", type=partial(whole, least=1), help="batches to train on (default: 400)"
    )
    add_names(teach)

    rehearse = commands.add_parser(
        "rehearse", help="write the rehearsal set of a version, which teach needs"
    )
    add_photos(rehearse)
    rehearse.add_argument("--model", type=Path, required=True, help="e.g. models/us_bills/1")

    evaluate = commands.add_parser("evaluate", help="measure a version on a folder of photos")
    add_photos(evaluate, "--data")
    evaluate.add_argument("--model", type=Path, required=True, help="e.g. models/us_bills/1")
    evaluate.add_argument(
        "--report",
        type=Path,
        help="folder to write report.md, report.json, answers.csv and the plots to",
    )
    evaluate.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="CSV file to write, a line per picture: file, right, answered, probability, sure",
    )
    evaluate.add_argument(
        "--run", type=Path, dest="folder", help="its training run, to plot the learning curves"
    )
    evaluate.add_argument(
        "--slices",
        action="store_true",
        help="also evaluate the bills turned, halved, dark, blurred, far away and compressed",
    )
    evaluate.add_argument(
        "--corners",
        type=Path,
        metavar="FILE",
        help="also evaluate halves of the bills whose corners this CSV file marks",
    )
    evaluate.add_argument(
        "--edges",
        action="store_true",
        help="also evaluate pictures made of these photos: several bills, made-up values and"
        " textures",
    )
    evaluate.add_argument(
        "--bfloat16",
        action="store_true",
        help="also compare with the version in bfloat16, as a server computes it with"
        " --mixed_precision=bfloat16; slow on processors without bfloat16",
    )

    add_counter(commands)

    model_card = commands.add_parser(
        "card", help="print a version's model card, or write it into a file"
    )
    model_card.add_argument("--model", type=Path, required=True, help="e.g. models/us_bills/1")
    model_card.add_argument(
        "--into", type=Path, help="Markdown file to write the card into, between its two markers"
    )
    return root


if __name__ == "__main__":
    sys.exit(main())
