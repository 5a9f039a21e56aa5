"""Calibration: a temperature for the probabilities and a threshold for accepting an answer."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.evaluation.measures import wrong_at_most

_Floats = NDArray[np.floating]

CONFIDENCE = 0.99
"""How sure it is that accepted answers are wrong no more often than the bound says."""

COVERAGES = np.linspace(0.05, 1, 20)
"""The shares of pictures that a threshold may accept. They are few, and set before a picture is
seen, so that the confidence is shared among few bounds."""

NEARLY = 1.5
"""How many times the best bound is good enough: the best may be that of hardly any answers."""

TEMPERATURES = np.geomspace(0.25, 4, 161)


class Calibration(NamedTuple):
    """What the graph needs besides the weights.

    Attributes:
        temperature: The logits are divided by it before the softmax.
        threshold: A picture is accepted where its highest probability is at least this.
        second_look_below: A picture is looked at twice where its highest probability is below
            this at the first look; 0: none is.
        stricter: Classes that need more than `threshold` to be accepted, each with what it needs.
    """

    temperature: float
    threshold: float
    second_look_below: float = 0.0
    stricter: dict[str, float] = {}  # noqa: RUF012  # Of a tuple: nobody changes it.

    @classmethod
    def of(cls, card: dict[str, Any]) -> "Calibration":
        """Returns the one that a model card tells of; older cards name no stricter classes."""
        named = {name: card[name] for name in cls._fields if name != "stricter"}
        return cls(**named, stricter=card.get("stricter", {}))

    def thresholds(self, classes: list[str]) -> NDArray[np.float32]:
        """Returns the least probability at which each class is accepted, float32 [C]."""
        return np.array([self.stricter.get(name, self.threshold) for name in classes], np.float32)


class Selection(NamedTuple):
    """Which answers are accepted, and what that is worth.

    Attributes:
        threshold: The least confidence that is accepted.
        at_most: The share of accepted answers that are wrong is below it with `CONFIDENCE`.
        wrong: How many accepted ones were wrong.
        accepted: How many were accepted.
        of: How many pictures it was chosen by.
    """

    threshold: float
    at_most: float
    wrong: int
    accepted: int
    of: int


def best_temperature(logits: _Floats, labels: NDArray[np.integer]) -> float:
    """Returns the temperature of the least negative log-likelihood.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    return float(min(TEMPERATURES, key=lambda t: negative_log_likelihood(logits / t, labels)))


def negative_log_likelihood(logits: _Floats, labels: NDArray[np.integer]) -> float:
    """Returns the mean over N pictures, in nats."""
    chosen = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def select(confidence: _Floats, right: NDArray[np.bool_], risk: float) -> Selection:
    """Returns the least threshold at which accepted answers are surely wrong no more than `risk`.

    Where the pictures are too few, or wrong too often, to show that for any threshold, it is the
    least one whose bound is no more than `NEARLY` times the best.

    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017,
    lemma 3.1 and algorithm 1; in place of its binary search there are the fixed `COVERAGES`, which
    tell the least bound too.

    Args:
        confidence: float [N], the highest probability of each picture. The pictures must be
            independent of each other: two views of one photo are not.
        right: bool [N].
        risk: The tolerated share of wrong answers among those accepted, in [0,1].
    """
    order = np.argsort(-confidence, kind="stable")
    counts = np.unique(np.maximum(1, np.rint(COVERAGES * len(order)).astype(int)))
    wrong = np.cumsum(~right[order])[counts - 1]
    doubt = (1 - CONFIDENCE) / len(counts)
    bounds = [wrong_at_most(int(w), int(n), 1 - doubt) for w, n in zip(wrong, counts, strict=True)]
    shown = max(risk, NEARLY * min(bounds))
    best = max(index for index, bound in enumerate(bounds) if bound <= shown)
    least = float(confidence[order][counts[best] - 1])
    return Selection(least, bounds[best], int(wrong[best]), int(counts[best]), len(order))


def softmax(logits: _Floats) -> _Floats:
    """Returns the probabilities of float [N,C] logits."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
