"""Runs a command as named steps, each of which can be interrupted and run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from serving.client import ServingError
from serving.rollout.errors import Refused
from serving.rollout.remote.fleet import Say
from serving.rollout.state.history import History


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: what it does, in a few words.
        do: runs the step, or finds it done; returns a short text about the result, or None. It
            checks disk and server again, since an earlier run may have been interrupted anywhere.
    """

    name: str
    do: Callable[[], str | None]


@dataclass(frozen=True)
class Command:
    """What one call of the tool does.

    Attributes:
        title: as it was typed, for the history.
        steps: in their order.
        undo: restores the earlier state after a failed step.
    """

    title: str
    steps: Sequence[Step]
    undo: Callable[[], None] | None = None


def run(command: Command, history: History, say: Say) -> None:
    """Runs all steps of a command.

    Raises:
        Refused: a step failed; the command's changes are undone if it has an `undo`.
    """
    history.note(command.title, "began")
    for step in command.steps:
        try:
            outcome = step.do()
            history.note(command.title, "step", step=step.name, outcome=outcome)
        except (Refused, ServingError, OSError) as error:
            _fail(command, step, error, history)
        say(f"  {step.name}{f': {outcome}' if outcome else ''}")
    # All is done; a full disk must not make it look undone.
    with suppress(Refused, OSError):
        history.note(command.title, "done")


def _fail(command: Command, step: Step, error: Exception, history: History) -> None:
    reason = f"{step.name}: {str(error).rstrip('.')}."
    if command.undo is None:
        reason += " What was done stays; the same command again goes on from there."
    else:
        try:
            command.undo()
            reason += " All is as it was before."
        except (Refused, ServingError, OSError) as second:
            reason += f" Nor could it be undone: {second}"
    # The history may be what failed.
    with suppress(Refused, OSError):
        history.note(command.title, "failed", step=step.name, reason=str(error))
    raise Refused(reason) from error
