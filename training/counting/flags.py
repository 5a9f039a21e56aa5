"""The command line of the counter: `fit-count`, `export-count` and `evaluate-count`."""

from functools import partial
from pathlib import Path
from typing import Any

from training.counting.recipe import CountRecipe
from training.flags import NEW_RUN, add_models, add_photos, add_recipe, add_run, whole


def add_counter(commands: Any) -> None:
    """Adds the commands of the counter, which finds several bills in a picture."""
    module = {"module": "training.counting.commands"}
    run = "runs/count"
    fit = commands.add_parser("fit-count", help="train a counter on scenes composed of photos")
    add_photos(fit)
    add_run(fit, run, NEW_RUN)
    fit.add_argument(
        "--resume", action="store_true", help="continue --run after its last finished epoch"
    )
    fit.set_defaults(
        **module, stopped="Continue after the detector's last finished epoch with --resume."
    )
    add_recipe(fit, CountRecipe)

    export = commands.add_parser("export-count", help="make a version from a trained counter")
    add_photos(export)
    add_run(export, run, "folder of the run")
    add_models(export, Path("models/us_bills_count"))
    export.add_argument(
        "--scenes",
        type=partial(whole, least=12),
        default=2_400,
        help="scenes to calibrate on (default: %(default)s)",
    )
    export.set_defaults(**module)

    evaluate = commands.add_parser("evaluate-count", help="measure a counter on composed scenes")
    add_photos(evaluate, "--data")
    evaluate.add_argument("--model", type=Path, required=True, help="e.g. models/us_bills_count/1")
    evaluate.add_argument(
        "--scenes",
        type=partial(whole, least=1),
        default=200,
        help="scenes of each kind (default: %(default)s)",
    )
    evaluate.add_argument(
        "--corners", type=Path, help="CSV file with the corners of whole bills in the photos"
    )
    evaluate.add_argument(
        "--single", type=Path, help="CSV file with the corners of the only bill in a photo"
    )
    evaluate.add_argument("--report", type=Path, help="folder to write report.md and a picture to")
    evaluate.set_defaults(**module)
