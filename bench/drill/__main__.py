"""The command line: `python -m bench.drill`; `--help` lists the flags."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.drill import drill, pictures
from training.evaluation import model_card

TEACH_DRAWN = "--steps 150 --lost-at-most 0.1"
"""A drawn design is learnt faster than real notes. Each class has 43 held-out pictures, all of them
hard views, so three more wrong answers are already 7 %."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the drill.

    Returns:
        The exit status: 0, 1 if the drill failed, 130 after Ctrl-C.
    """
    given = _parser().parse_args(arguments)
    try:
        drill.run(_plan(given))
    except (drill.Failed, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _plan(given: argparse.Namespace) -> drill.Plan:
    return drill.Plan(
        given.model,
        _pictures(given),
        given.clients,
        given.percent,
        _lost_at_most(given),
        _teach(given),
        shlex.split(given.watch),
    )


def _lost_at_most(given: argparse.Namespace) -> float:
    usual = drill.Plan.lost_at_most if given.old else 1.0
    return usual if given.lost_at_most is None else float(given.lost_at_most)


def _teach(given: argparse.Namespace) -> list[str]:
    usual = "" if given.photos else TEACH_DRAWN
    return shlex.split(usual if given.teach is None else given.teach)


def _pictures(given: argparse.Namespace) -> pictures.Pictures:
    if not given.photos:
        return pictures.drawn()
    known = model_card.read(given.model)["classes"]
    return pictures.of_folders(given.photos, given.asked, given.old, known)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.drill", description=drill.__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path("models/us_bills/1"), help="version to start from")
    add(
        "--photos",
        type=Path,
        help="photos of the new design, a sub-folder for each class (default: drawn pictures)",
    )
    add("--asked", type=Path, help="such photos to evaluate on (default: a part of --photos)")
    add("--old", type=Path, help="photos of known classes, a sub-folder for each (default: drawn)")
    add(
        "--clients",
        type=int,
        default=2,
        help="clients that send requests without a pause (default: %(default)s)",
    )
    add(
        "--percent",
        type=float,
        default=50.0,
        help="the canary's share in percent (default: %(default)s)",
    )
    add(
        "--lost-at-most",
        type=float,
        help="largest share of old pictures that may lose their right answer, 0 to 1 (default:"
        f" {drill.Plan.lost_at_most:g} with --old; 1 for drawn pictures, which no version was"
        " trained on)",
    )
    add(
        "--teach",
        metavar="FLAGS",
        help=f"more flags for `training teach` (default for the drawn design: {TEACH_DRAWN})",
    )
    add(
        "--watch",
        default="--every 2 --seconds 1200",
        metavar="FLAGS",
        help="more flags for `rollout watch` (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
