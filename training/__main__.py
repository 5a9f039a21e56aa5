"""The command line: `python -m training inspect | fit | export | evaluate | card`."""

import argparse
import os
import shlex
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from training.recipe import Recipe

if TYPE_CHECKING:
    from training.dataset import Photo

# Set before TensorFlow is imported: its start-up chatter says nothing about a training run.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# On processors without AVX-512 TensorFlow would leave it, though it is faster there too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0, or 2 where the input was not as expected."""
    given = parser().parse_args(arguments)
    try:
        given.run(given)
    except (ValueError, FileNotFoundError) as error:
        print(f"training {given.command}: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands."""
    whole = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)

    inspect = commands.add_parser("inspect", help="look at a folder of photos before training")
    _add_photos(inspect)
    inspect.add_argument(
        "--sheet",
        type=Path,
        default=Path("runs/photos.jpg"),
        help="where to write a picture of some photos of each class (default: %(default)s)",
    )
    inspect.set_defaults(run=_inspect)

    fit = commands.add_parser("fit", help="train a classifier on a folder of photos")
    _add_photos(fit)
    fit.add_argument("--run", type=Path, default=Path("runs/latest"), dest="folder")
    fit.add_argument(
        "--resume", action="store_true", help="go on behind the last finished epoch of --run"
    )
    _add_recipe(fit)
    fit.set_defaults(run=_fit)

    export = commands.add_parser("export", help="make a version of a trained run")
    _add_photos(export)
    export.add_argument("--run", type=Path, default=Path("runs/latest"), dest="folder")
    export.add_argument("--models", type=Path, default=Path("models/us_bills"))
    export.add_argument(
        "--measured-on", type=Path, help="photos of another source, for the model card"
    )
    export.add_argument(
        "--risk",
        type=float,
        default=0.01,
        help="share of wrong answers tolerated among accepted ones (default: %(default)s)",
    )
    export.add_argument(
        "--second-look",
        type=float,
        default=0.0,
        metavar="BELOW",
        help="look again, at the middle, where the first look is less sure than this (default: 0,"
        " never)",
    )
    export.set_defaults(run=_export)

    evaluate = commands.add_parser("evaluate", help="measure a version on a folder of photos")
    _add_photos(evaluate, "--data")
    evaluate.add_argument("--model", type=Path, required=True, help="e.g. models/us_bills/1")
    evaluate.add_argument(
        "--report", type=Path, help="a folder for report.json, report.md and the plots"
    )
    evaluate.add_argument(
        "--run", type=Path, dest="folder", help="its training run, for the learning curves"
    )
    evaluate.add_argument(
        "--slices",
        action="store_true",
        help="also ask about the bills turned, halved, dark, blurred, far away and compressed",
    )
    evaluate.set_defaults(run=_evaluate)

    card = commands.add_parser("card", help="print a version's model card, or put it into a file")
    card.add_argument("--model", type=Path, required=True, help="e.g. models/us_bills/1")
    card.add_argument("--into", type=Path, help="a Markdown file that has the card's two markers")
    card.set_defaults(run=_card)
    return whole


def _add_photos(parser: argparse.ArgumentParser, name: str = "photos") -> None:
    argument = parser.add_argument(
        name, type=Path, help="a folder with one sub-folder per class", metavar="PHOTOS"
    )
    argument.dest = "photos"
    argument.required = True
    parser.add_argument(
        "--relabel",
        type=_pair,
        action="append",
        default=[],
        metavar="FOLDER=CLASS",
        help="count a sub-folder as another class, for example 2=Other",
    )
    parser.add_argument(
        "--skip", action="append", default=[], metavar="FOLDER", help="leave a sub-folder out"
    )


def _pair(text: str) -> tuple[str, str]:
    folder, equals, label = text.partition("=")
    if not (folder and equals and label):
        raise argparse.ArgumentTypeError(f"expected FOLDER=CLASS, received {text!r}")
    return folder, label


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    for field in fields(Recipe):
        name = "--" + field.name.replace("_", "-")
        text = f"{field.metadata['help']} (default: %(default)s)"
        parser.add_argument(name, type=type(field.default), default=field.default, help=text)


def _scan(given: argparse.Namespace, folder: Path | None = None) -> "list[Photo]":
    from training import dataset

    return dataset.scan(folder or given.photos, dict(given.relabel), given.skip)


def _inspect(given: argparse.Namespace) -> None:
    from training import inspect

    found = inspect.look(_scan(given))
    print(inspect.table(found))
    given.sheet.parent.mkdir(parents=True, exist_ok=True)
    inspect.contact_sheet(found).save(given.sheet)
    print(f"contact sheet: {given.sheet}")


def _fit(given: argparse.Namespace) -> None:
    from training.fit import fit

    recipe = Recipe(**{field.name: getattr(given, field.name) for field in fields(Recipe)})
    command = shlex.join(["python", "-m", "training", *sys.argv[1:]])
    fit(_scan(given), recipe, given.folder, command, resume=given.resume)


def _export(given: argparse.Namespace) -> None:
    from training.export import export

    measured_on = _scan(given, given.measured_on) if given.measured_on else []
    photos, looks = _scan(given), given.second_look
    print(export(given.folder, photos, measured_on, given.models, given.risk, looks))


def _evaluate(given: argparse.Namespace) -> None:
    from training import card, evaluate, tables

    figures, answers = evaluate.evaluate(given.model, _scan(given), slices=given.slices)
    print(tables.lines(figures))
    if given.report:
        from training import report

        facts = card.read(given.model)
        report.write(given.report, given.model, facts, figures, answers, given.folder)
        print(f"report: {given.report / 'report.md'}")


def _card(given: argparse.Namespace) -> None:
    from training import card

    text = card.markdown(card.read(given.model))
    if given.into:
        card.put_into(given.into, text)
    else:
        print(text)


if __name__ == "__main__":
    sys.exit(main())
