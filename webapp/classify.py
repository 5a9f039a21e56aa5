"""`python -m webapp classify photo.jpg ...`: the answers of the front end, in a terminal."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.client import ServingError
from serving.files import printable
from webapp.decoding.pool import Busy, TooSlow
from webapp.imaging.errors import BadImage
from webapp.inference.classifier import Classifier, Photo
from webapp.inference.counter import Counter
from webapp.inference.model import Model, PredictionRequest, connect_to, version_number
from webapp.inference.model_cards import ClassNames
from webapp.settings import Settings

_UNSURE = "not sure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.description = "Ask the model server what the bills on photos are worth."
    parser.epilog = "Exit status: 0 all read, 1 a file could not be read, 2 no usable answer."
    parser.add_argument("photos", nargs="+", type=Path, metavar="photo", help="a picture file")
    parser.add_argument("--json", action="store_true", help="one JSON object per line, no table")
    parser.add_argument("--no-count", action="store_true", help="do not count several bills")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--version", type=_version, help="ask this version of the model")
    asked.add_argument("--label", help="ask the version with this label")


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Print an answer for each photo, in order, as soon as the answer arrives.

    Returns:
        The exit status: 0, or 1 if a file could not be read, or 2 if the model server gave no
        answer.
    """
    label = options.label or (None if options.version is not None else settings.model_label or None)
    query = PredictionRequest(options.version, label, count=not options.no_count)
    client = connect_to(settings)
    counter = Counter(settings, client) if settings.counter else None
    failed = False
    try:
        classifier = Classifier(Model(settings, client), None, counter, ClassNames(settings.models))
        for line in _ask(options.photos, classifier, query):
            print(json.dumps(line) if options.json else printable(_row(line)), flush=True)  # noqa: T201
            failed = failed or "error" in line
    except ServingError as error:
        print(f"{settings.model_server}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    finally:
        client.close()
    return int(failed)


def _version(text: str) -> int:
    try:
        return version_number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _ask(
    photos: list[Path], classifier: Classifier, query: PredictionRequest
) -> Iterator[dict[str, Any]]:
    for path in photos:
        try:
            photo = Photo(path.read_bytes())
            deadline = time.monotonic() + classifier.model.settings.timeout
            reply = classifier.ask([photo], query, deadline)
        except (BadImage, Busy, TooSlow, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            yield {"filename": str(path), "error": reason}
            continue
        [prediction] = reply.predictions
        yield {**prediction, "filename": str(path), "model": reply.model, "count": reply.count}


def _row(line: dict[str, Any]) -> str:
    if "error" in line:
        return f"{'-':>8}  {'':>7}  {line['filename']}: {line['error']}"
    name, probability = next(iter(line["probabilities"].items()))
    known = name if line["value"] is None else _dollars(line["value"])
    said = known if line["accepted"] else _UNSURE
    return f"{said:>8}  {probability:>7.1%}  {line['filename']}{_several(line)}"


def _several(line: dict[str, Any]) -> str:
    """Return the text about several bills that follows the answer; empty for fewer than two."""
    values = [_dollars(int(bill["class"])) for bill in line.get("bills", ())]
    if len(values) < 2:
        return ""
    total = f"together {_dollars(line['total'])}" if line["total"] is not None else _UNSURE
    return f": {len(values)} bills, {' + '.join(values)}, {total}"


def _dollars(value: float) -> str:
    return f"${value:.10g}"
