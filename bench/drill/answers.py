"""Judges answers to pictures of known class, before and after the rollout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.drill.pictures import Picture

RIGHT, UNSURE, WRONG = "right", "unsure", "wrong"
_HEAD = ("pictures", "number", "right before", "unsure", "wrong", "right after", "unsure", "wrong")


class Asked(NamedTuple):
    """A picture and the verdicts on its two answers.

    Attributes:
        group: the row of the table that counts it.
        picture: the picture.
        before: `RIGHT`, `UNSURE` or `WRONG`.
        after: the same, once the new version answers.
    """

    group: str
    picture: Picture
    before: str
    after: str


def verdict(label: str, told: str | None) -> str:
    """Returns the verdict on an answer: `told` is the class in the answer, None if unsure."""
    if told is None:
        return UNSURE
    return RIGHT if told == label else WRONG


def table(asked: Sequence[Asked]) -> str:
    """Returns a table with a row for each group, readable in a terminal and as Markdown."""
    groups = dict.fromkeys(each.group for each in asked)
    rows = [_row(group, [each for each in asked if each.group == group]) for group in groups]
    lines = [_HEAD, ("---",) * len(_HEAD), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(group: str, members: Sequence[Asked]) -> tuple[str, ...]:
    counts = [Counter(each.before for each in members), Counter(each.after for each in members)]
    shown = [str(count[kind]) for count in counts for kind in (RIGHT, UNSURE, WRONG)]
    return group, str(len(members)), *shown


def lost(asked: Iterable[Asked]) -> list[Asked]:
    """Returns the pictures that were answered correctly before and are not any more."""
    return [each for each in asked if each.before == RIGHT and each.after != RIGHT]


def newly_wrong(asked: Iterable[Asked]) -> list[Asked]:
    """Returns the pictures that are answered wrongly now and were not before."""
    return [each for each in asked if each.after == WRONG and each.before != WRONG]
