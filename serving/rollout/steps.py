"""Runs a command as named steps, each of which can be cut off and done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving.client import ServingError
from serving.rollout.errors import Refused
from serving.rollout.state.history import History

Say = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: what it does, in a few words.
        do: does it, or finds it done; returns a few words about its result, or None. It looks
            at disk and server anew, since whatever ran before may have been cut off anywhere.
    """

    name: str
    do: Callable[[], str | None]


@dataclass(frozen=True)
class Command:
    """What one call of the tool does.

    Attributes:
        title: as it was typed, for the history.
        steps: in their order.
        undo: puts things back as they were before, after a step that failed.
    """

    title: str
    steps: Sequence[Step]
    undo: Callable[[], None] | None = None


def run(command: Command, history: History, say: Say) -> None:
    """Runs all steps of a command.

    Raises:
        Refused: a step failed; what the command had changed is put back.
    """
    history.note(command.title, "began")
    for step in command.steps:
        try:
            outcome = step.do()
        except (Refused, ServingError, OSError) as error:
            _fail(command, step, error, history)
        say(f"  {step.name}{f': {outcome}' if outcome else ''}")
        history.note(command.title, "step", step=step.name, outcome=outcome)
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
    history.note(command.title, "failed", step=step.name, reason=str(error))
    raise Refused(reason) from error
