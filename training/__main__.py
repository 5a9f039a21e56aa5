"""The command line: `python -m training inspect | fit | export | ...`; `--help` lists all."""

import argparse
import importlib
import os
import sys
from pathlib import Path

from training.counting.flags import add_counter
from training.flags import add_names, add_photos, add_recipe, share
from training.recipe import Recipe

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
    whole = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    whole.set_defaults(module="training.commands", stopped="Nothing was added.")
    commands = whole.add_subparsers(dest="command", required=True)

    inspect = commands.add_parser("inspect", help="look at a folder of photos before training")
    add_photos(inspect)
    inspect.add_argument(
        "--sheet",
        type=Path,
        default=Path("runs/photos.jpg"),
        help="where to write a picture of some photos of each class (default: %(default)s)",
    )

    fit = commands.add_parser("fit", help="train a classifier on a folder of photos")
    add_photos(fit)
    fit.add_argument("--run", type=Path, default=Path("runs/latest"), dest="folder")
    fit.add_argument(
        "--resume",
        action="store_true",
        help="continue --run after its last finished epoch, or after stage one, with its recipe",
    )
    fit.add_argument(
        "--tensorboard", type=Path, metavar="FOLDER", help="write logs for TensorBoard there"
    )
    fit.set_defaults(stopped="Continue after the last finished epoch with --resume.")
    add_recipe(fit, Recipe)

    folds = commands.add_parser(
        "folds",
        help="tell what a recipe reaches on sources that it never saw: each is left out once",
    )
    add_photos(folds)
    folds.add_argument("--run", type=Path, default=Path("runs/folds"), dest="folder")
    folds.add_argument("--folds", type=int, default=3, help="(default: %(default)s)")
    folds.set_defaults(stopped="The same command continues after the last finished epoch.")
    add_recipe(folds, Recipe)

    export = commands.add_parser("export", help="make a version of a trained run")
    add_photos(export)
    export.add_argument("--run", type=Path, default=Path("runs/latest"), dest="folder")
    export.add_argument("--models", type=Path, default=Path("models/us_bills"))
    export.add_argument(
        "--measured-on", type=Path, help="photos of another source, for the model card"
    )
    export.add_argument(
        "--risk",
        type=share,
        default=0.01,
        help="share of wrong answers tolerated among accepted ones, kept with 99 %% confidence"
        " where the photos are enough to show it (default: %(default)s)",
    )
    export.add_argument(
        "--second-look",
        type=share,
        metavar="BELOW",
        help="look again, at the middle, where the first look is less sure than this; 0: never"
        " (default: the least that gains as much on the held-out photos as 0.99)",
    )
    export.add_argument(
        "--again",
        action="store_true",
        help="add a version also where the same run and settings made one already",
    )
    add_names(export)
    export.set_defaults(module="training.export.commands")

    review = commands.add_parser(
        "review", help="look at photos that people sent back, and accept those that may be learnt"
    )
    review.add_argument("folder", type=Path, help="the folder that US_BILLS_FEEDBACK names")
    review.add_argument(
        "--port", type=int, default=0, help="of 127.0.0.1 (default: one that is free)"
    )
    review.add_argument(
        "--no-browser", dest="browser", action="store_false", help="print the address only"
    )

    reexport = commands.add_parser(
        "reexport", help="make a version of another's weights, with the signatures of today's code"
    )
    reexport.add_argument("--model", type=Path, required=True, help="e.g. models/us_bills/1")
    reexport.add_argument("--models", type=Path, default=Path("models/us_bills"))
    add_names(reexport)
    reexport.set_defaults(module="training.export.commands")

    convert = commands.add_parser("convert", help="write a version as ONNX or for LiteRT")
    convert.add_argument("version", type=Path, help="e.g. models/us_bills/1")
    convert.add_argument("--to", choices=("onnx", "litert"), required=True)
    convert.add_argument("--output", type=Path, help="a file (default: such as us_bills-1.onnx)")
    convert.add_argument(
        "--one-look", action="store_true", help="look at no picture twice: half the time, less sure"
    )
    convert.set_defaults(module="training.export.commands")

    teach = commands.add_parser(
        "teach", help="teach a version new photos, without those that it was trained on"
    )
    add_photos(teach)
    teach.add_argument("--model", type=Path, default=Path("models/us_bills/1"))
    teach.add_argument("--models", type=Path, default=Path("models/us_bills"))
    teach.add_argument(
        "--lost-at-most",
        type=share,
        default=0.1,
        help="share of its held-out pictures that a class may lose, where that is not chance; where"
        " more is lost, nothing is added (default: %(default)s)",
    )
    teach.add_argument("--steps", type=int, help="batches to learn from (default: 400)")
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
        help="a folder for report.md, report.json, answers.csv and the plots",
    )
    evaluate.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="a CSV file with a line for each picture: file, right, answered, probability, sure",
    )
    evaluate.add_argument(
        "--run", type=Path, dest="folder", help="its training run, for the learning curves"
    )
    evaluate.add_argument(
        "--slices",
        action="store_true",
        help="also ask about the bills turned, halved, dark, blurred, far away and compressed",
    )
    evaluate.add_argument(
        "--corners",
        type=Path,
        metavar="FILE",
        help="also ask about halves of the notes whose corners are marked in this CSV file",
    )
    evaluate.add_argument(
        "--edges",
        action="store_true",
        help="also ask about pictures made of these photos: several bills, made-up values and"
        " textures",
    )
    evaluate.add_argument(
        "--bfloat16",
        action="store_true",
        help="also compare with the same version in bfloat16, as servers compute it with"
        " --mixed_precision=bfloat16; slow where the processor has no bfloat16",
    )

    add_counter(commands)

    model_card = commands.add_parser(
        "card", help="print a version's model card, or put it into a file"
    )
    model_card.add_argument("--model", type=Path, required=True, help="e.g. models/us_bills/1")
    model_card.add_argument(
        "--into", type=Path, help="a Markdown file that has the card's two markers"
    )
    return whole


if __name__ == "__main__":
    sys.exit(main())
