"""The order of measurements in a round: compared measurements are close in time."""

from itertools import groupby
from typing import Any

from bench.contenders.contender import Contender
from bench.load.generator import Target
from bench.rounds import CROWDS_OF_SLOW, Measurement

TARGET = Target("http://nowhere/", "")
CONTENDERS = [Contender("server", [], TARGET), Contender("original", [], TARGET, slow=True)]


class Noted(Measurement):
    """Notes turns and does not take them."""

    def __init__(self) -> None:
        engines: Any = dict.fromkeys(("signature", "other"))
        nobody: Any = None
        super().__init__(CONTENDERS, engines, nobody)
        self.turns: list[tuple[str, int]] = []

    def _loop(self, engine: str, threads: int) -> None:
        self.turns.append((engine, threads))

    def _ask(self, contender: Contender, clients: int) -> None:
        self.turns.append((contender.name, clients))

    def _decode(self) -> None:
        self.turns.append(("decoding", 0))


def turns(count: int) -> list[tuple[str, int]]:
    measurement = Noted()
    measurement.run(count, lambda _: None)
    return measurement.turns


def test_a_round_goes_from_one_caller_to_crowds_and_back_in_the_next() -> None:
    there = turns(1)
    assert there == [
        *(("other", 1), ("signature", 1), ("decoding", 0), ("server", 1), ("original", 1)),
        *(("other", 2), ("signature", 2), ("server", 8), ("original", 8)),
        *(("server", 64), ("original", 64)),
    ]
    assert turns(2) == there + there[::-1]


def test_all_have_as_many_turns_but_for_slow_ones_with_a_crowd() -> None:
    of = {turn: len(list(each)) for turn, each in groupby(sorted(turns(6)))}
    assert of.pop(("original", 64)) == CROWDS_OF_SLOW
    assert set(of.values()) == {6}
