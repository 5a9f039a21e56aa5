"""`python -m webapp classify photo.jpg ...`: the same answers in a terminal."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.client import ServingError
from webapp.imaging.decode_pool import Busy, TooSlow
from webapp.imaging.errors import BadImage
from webapp.inference.classifier import Classifier, Photo
from webapp.inference.model import Model, PredictionRequest, connect_to
from webapp.settings import Settings

_UNSURE = "not sure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = "Ask the model server what the bills on photos are worth."
    parser.epilog = "Exit status: 0 all read, 1 a file could not be read, 2 no model server."
    parser.add_argument("photos", nargs="+", type=Path, metavar="photo", help="a picture file")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, no table")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--version", type=int, help="ask this version of the model")
    asked.add_argument("--label", help="ask the version with this label")


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Print an answer for each photo, in order, as soon as it is there.

    Returns:
        The exit status: 0, or 1 where a file could not be read, or 2 without a model server.
    """
    label = options.label or (None if options.version is not None else settings.model_label or None)
    client = connect_to(settings)
    failed = False
    try:
        for line in _ask(
            options.photos, Classifier(Model(settings, client)), options.version, label
        ):
            print(json.dumps(line) if options.json else _row(line), flush=True)  # noqa: T201
            failed = failed or "error" in line
    except ServingError as error:
        print(f"{settings.model_server}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    finally:
        client.close()
    return int(failed)


def _ask(
    photos: list[Path], classifier: Classifier, version: int | None, label: str | None
) -> Iterator[dict[str, Any]]:
    for path in photos:
        try:
            photo = Photo(path.read_bytes())
            deadline = time.monotonic() + classifier.model.settings.timeout
            reply = classifier.ask([photo], PredictionRequest(version, label), deadline)
        except (BadImage, Busy, TooSlow, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            yield {"filename": str(path), "error": reason}
            continue
        [prediction] = reply.predictions
        yield {**prediction, "filename": str(path), "model": reply.model}


def _row(line: dict[str, Any]) -> str:
    if "error" in line:
        return f"{'-':>8}  {'':>7}  {line['filename']}: {line['error']}"
    name, probability = next(iter(line["probabilities"].items()))
    said = _worth(name) if line["accepted"] else _UNSURE
    return f"{said:>8}  {probability:>7.1%}  {line['filename']}"


def _worth(name: str) -> str:
    return f"${name}" if name.isdecimal() else name
