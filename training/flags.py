"""Flags that several commands of `python -m training` share, and functions that read them."""

import argparse
import json
import shlex
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

from training.data import dataset, files
from training.data.dataset import OTHER, Photo
from webapp import names

SHIPPED = Path("models/us_bills")
"""The folder of the versions of the shipped classifier."""
NEW_RUN = "folder of the run; without --resume an earlier run in it is deleted"


def add_photos(parser: argparse.ArgumentParser, name: str = "photos") -> None:
    """Adds a folder of photos, as an argument or as the flag `name`, `--relabel` and `--skip`."""
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


def add_models(parser: argparse.ArgumentParser, default: Path | None) -> None:
    """Adds `--models`, the folder of the new version; None stands for that of `--model`."""
    told = default or "that of --model"
    parser.add_argument(
        "--models",
        type=Path,
        default=default,
        help=f"folder in which the next version is made (default: {told})",
    )


def add_run(parser: argparse.ArgumentParser, default: str, text: str) -> None:
    """Adds `--run`, the folder of a training run."""
    parser.add_argument(
        "--run",
        type=Path,
        default=Path(default),
        dest="folder",
        help=f"{text} (default: %(default)s)",
    )


def add_names(parser: argparse.ArgumentParser) -> None:
    """Adds `--names`, a file that says what classes are worth."""
    parser.add_argument(
        "--names",
        type=Path,
        metavar="FILE",
        help="JSON file with the values and spoken names of classes; see docs/your-own.md",
    )


def _pair(text: str) -> tuple[str, str]:
    folder, equals, label = text.partition("=")
    if not (folder and equals and label):
        raise argparse.ArgumentTypeError(f"expected FOLDER=CLASS, received {text!r}")
    return folder, label


def fraction(text: str) -> float:
    """Reads a number from 0 to 1; raises `ArgumentTypeError` for any other text."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, received {text!r}")
    return number


def whole(text: str, least: int) -> int:
    """Reads a whole number of at least `least`; raises `ArgumentTypeError` for any other text."""
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        expected = f"a whole number of at least {least}"
        raise argparse.ArgumentTypeError(f"expected {expected}, received {text!r}")
    return int(text)


def add_recipe(parser: argparse.ArgumentParser, recipe: type[Any]) -> None:
    """Adds a flag per setting, without defaults: `--resume` needs to know which were given."""
    for field in fields(recipe):
        name = "--" + field.name.replace("_", "-")
        default = "" if field.default == "" else f" (default: {field.default})"
        text = field.metadata["help"] + default
        parser.add_argument(name, type=type(field.default), default=argparse.SUPPRESS, help=text)


def stated(given: argparse.Namespace, recipe: type[Any]) -> dict[str, Any]:
    """Returns the settings of `add_recipe` that were given, by the names of the fields."""
    return {f.name: getattr(given, f.name) for f in fields(recipe) if hasattr(given, f.name)}


def scan(given: argparse.Namespace) -> list[Photo]:
    """Lists the photos of a folder.

    Raises:
        ValueError: `--relabel` or `--skip` names a sub-folder that does not exist, or one twice; or
            see `dataset.scan`.
    """
    named = Counter([folder for folder, _ in set(given.relabel)] + list(set(given.skip)))
    if twice := sorted(folder for folder, times in named.items() if times > 1):
        raise ValueError(
            f"--relabel and --skip name {', '.join(twice)} more than once. Expected one class, or"
            " --skip, for each sub-folder."
        )
    if given.photos.is_dir():
        files.require_folders(given.photos, given.skip, "--skip")
        files.require_folders(given.photos, dict(given.relabel), "--relabel")
    return dataset.scan(given.photos, dict(given.relabel), given.skip)


def scan_and_warn(given: argparse.Namespace) -> list[Photo]:
    """Calls `scan`, and prints to stderr what is left out and which class may be a slip."""
    photos = scan(given)
    for line in files.lines(files.left_out(given.photos, given.skip)):
        print(line, file=sys.stderr)  # noqa: T201
    for label in dataset.classes_of(photos):
        if label != OTHER and label.casefold() == OTHER.casefold():
            print(  # noqa: T201
                f"`{label}` is a class of its own; the class of everything else is `{OTHER}`"
                f" (--relabel {label}={OTHER}).",
                file=sys.stderr,
            )
    return photos


def photo_flags(given: argparse.Namespace) -> list[str]:
    """Returns the arguments of `add_photos`, for the next command about the same photos."""
    relabel = [f"--relabel={folder}={label}" for folder, label in given.relabel]
    return [str(given.photos), *relabel, *(f"--skip={folder}" for folder in given.skip)]


def command_line() -> str:
    """Returns the command line, for a run's facts and model cards."""
    return files.shown(shlex.join(["python", "-m", "training", *sys.argv[1:]]))


def names_of(given: argparse.Namespace) -> dict[str, Any]:
    """Reads the `--names` file, and validates it with the front end's code."""
    if not given.names:
        return {}
    try:
        stated: dict[str, Any] = json.loads(given.names.read_bytes())
        names.parse(stated)
    except ValueError as error:
        raise ValueError(f"{given.names}: {error}") from error
    return stated


def next_message(version: Path) -> str:
    """Returns the sentence with the command that rolls a new version out.

    It leaves out the name of the shipped model, the first one of the model server.
    """
    name = version.absolute().parent.name
    model = [] if name == SHIPPED.name else ["--model", name]
    rollout = ["-m", "serving", "rollout", *model, "canary", version.name]
    next_command = shlex.join([".venv/bin/python", *rollout])
    return f"next, while `make run` runs: {next_command}"
