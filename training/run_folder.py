"""The folder of a training run: its facts, and the rules for replacing or continuing it."""

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from training.data.drafts import replacing
from training.data.files import shown
from training.evaluation import model_card

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Recipe = TypeVar("_Recipe", bound="DataclassInstance")
"""The settings of a run: of the classifier or of the counter."""

RUN = "run.json"
LOG = "log.csv"
VIEWS = "augmented.png"
WEIGHTS = "classifier.weights.h5"
STATE = "state.npz"


def begin(run: Path, facts: dict[str, Any]) -> None:
    """Makes the folder, deletes weights, state and log of an earlier run, and writes `run.json`."""
    run.mkdir(parents=True, exist_ok=True)
    for earlier in (WEIGHTS, STATE, LOG):
        (run / earlier).unlink(missing_ok=True)
    with replacing(run / RUN) as draft:
        draft.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def read(run: Path) -> dict[str, Any]:
    """Returns the facts of a run, its `run.json`.

    Raises:
        FileNotFoundError: The folder holds no run.
    """
    if not (run / RUN).is_file():
        raise FileNotFoundError(f"{run} holds no run ({RUN}). Start one without --resume.")
    facts: dict[str, Any] = json.loads((run / RUN).read_text(encoding="utf-8"))
    return facts


def require_no_counter(run: Path) -> None:
    """Refuses the folder of a counter's run, which a run of the classifier would replace.

    Raises:
        ValueError: The folder holds a run of the counter.
    """
    try:
        facts = read(run)
    except (FileNotFoundError, ValueError):  # No run, or half of its facts.
        return
    if isinstance(facts, dict) and facts.get("kind") == "counter":
        raise ValueError(f"{run} holds a run of the counter. Expected another --run, or fit-count.")


def recipe_of(facts: dict[str, Any], kind: type[_Recipe]) -> _Recipe:
    """Returns the recipe of a run; settings that an older run lacks get their defaults."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in facts["recipe"].items() if name in known})


def require_same(begun: dict[str, Any], recipe: _Recipe, data_fingerprint: str) -> None:
    """Checks that a run is continued with the recipe and the photos that it began with.

    Raises:
        ValueError: It is not; the message has the differences and the command that began the run.
    """
    before, now = asdict(recipe_of(begun, type(recipe))), asdict(recipe)
    changes = [
        f"{name} {before[name]!r}, now {now[name]!r}" for name in now if before[name] != now[name]
    ]
    advice = f" The run was begun by: {begun['command']}"
    if changes:
        raise ValueError(f"The run began with another recipe: {', '.join(changes)}.{advice}")
    if begun["data_fingerprint"] != data_fingerprint:
        raise ValueError(
            "The run began with other photos, or other --relabel and --skip (its"
            f" data_fingerprint differs).{advice}"
        )


def weights_digest(run: Path) -> str:
    """Returns the SHA-256 of a run's best weights.

    Raises:
        FileNotFoundError: The run finished no epoch.
    """
    if not (run / WEIGHTS).is_file():
        raise FileNotFoundError(
            f"{shown(run)} has no finished epoch to make a version of ({WEIGHTS}). Train one with"
            f" `python -m training fit PHOTOS --run {shown(run)}`."
        )
    return _sha256(run / WEIGHTS)


def history_of(weights: str) -> dict[str, Any] | None:
    """Returns the training facts from the model card of the version in the folder `weights`.

    The next version's card includes them, so that a card holds the whole history. None if `weights`
    is not the folder of a version.
    """
    if not model_card.path(Path(weights)).is_file():
        return None
    facts = model_card.read(Path(weights))
    kept = ("command", "recipe", "photos", "data_fingerprint", "weights_from")
    return {
        "version": weights,
        # The folder may hold another version later.
        "saved_model_sha256": _sha256(Path(weights) / "saved_model.pb"),
        **{name: facts.get(name) for name in kept},
    }


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
