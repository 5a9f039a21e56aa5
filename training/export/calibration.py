"""Calibration: a temperature for the probabilities and a threshold for accepting an answer."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.evaluation.measures import wrong_at_most

_Floats = NDArray[np.floating]

CONFIDENCE = 0.99
"""The confidence with which a bound on the share of wrong accepted answers holds."""

COVERAGES = np.linspace(0.05, 1, 20)
"""The shares of pictures that a threshold may accept. They are few, and fixed in advance, because
all their bounds share the confidence."""

NEARLY = 1.5
"""Times the best bound that is good enough: the threshold of the best may accept hardly any."""

TEMPERATURES = np.geomspace(0.25, 4, 161)


class Calibration(NamedTuple):
    """The numbers that the graph needs besides the weights.

    Attributes:
        temperature: The logits are divided by it before the softmax.
        threshold: An answer is accepted if its highest probability is at least this.
        second_look_below: A picture gets a second look if its highest probability at the first
            look is below this; 0 disables the second look.
        stricter: The thresholds of those classes that need more than `threshold`, by class.
    """

    temperature: float
    threshold: float
    second_look_below: float = 0.0
    stricter: dict[str, float] = {}  # noqa: RUF012  # Of a tuple: nobody changes it.

    @classmethod
    def of(cls, card: dict[str, Any]) -> "Calibration":
        """Returns the calibration in a model card; older cards have no `stricter`."""
        named = {name: card[name] for name in cls._fields if name != "stricter"}
        return cls(**named, stricter=card.get("stricter", {}))

    def thresholds(self, classes: list[str]) -> NDArray[np.float32]:
        """Returns the lowest probability at which each class is accepted, float32 [C]."""
        return np.array([self.stricter.get(name, self.threshold) for name in classes], np.float32)


class Selection(NamedTuple):
    """A threshold for accepting answers, and the error bound that it keeps.

    Attributes:
        threshold: The lowest confidence that is accepted.
        at_most: With `CONFIDENCE`, the share of wrong answers among accepted ones is below this.
        wrong: How many accepted answers were wrong.
        accepted: How many answers were accepted.
        of: How many pictures the threshold was chosen on.
    """

    threshold: float
    at_most: float
    wrong: int
    accepted: int
    of: int


def best_temperature(logits: _Floats, labels: NDArray[np.integer]) -> float:
    """Returns the temperature with the lowest negative log-likelihood.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    return float(min(TEMPERATURES, key=lambda t: negative_log_likelihood(logits / t, labels)))


def negative_log_likelihood(logits: _Floats, labels: NDArray[np.integer]) -> float:
    """Returns the mean negative log-likelihood of N pictures, in nats."""
    chosen = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def select(confidence: _Floats, right: NDArray[np.bool_], risk: float) -> Selection:
    """Returns the lowest threshold whose bound on the share of wrong accepted answers is allowed.

    A bound is allowed up to `risk`, or up to `NEARLY` times the best bound if no threshold shows
    `risk`: the pictures may be too few, or wrong too often.

    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017,
    lemma 3.1 and algorithm 1. The fixed `COVERAGES` replace its binary search, since they also give
    the best bound.

    Args:
        confidence: float [N], the highest probability of each picture. The pictures must be
            independent of each other: two views of one photo are not.
        right: bool [N].
        risk: The tolerated share of wrong answers among those accepted, in [0,1].
    """
    order = np.argsort(-confidence, kind="stable")
    counts = np.maximum(1, np.rint(COVERAGES * len(order)).astype(int))
    # A threshold accepts all pictures of its confidence, so the last one of them ends a count.
    least_sure = -confidence[order]
    counts = np.unique(np.searchsorted(least_sure, least_sure[counts - 1], side="right"))
    wrong = np.cumsum(~right[order])[counts - 1]
    doubt = (1 - CONFIDENCE) / len(counts)
    bounds = [wrong_at_most(int(w), int(n), 1 - doubt) for w, n in zip(wrong, counts, strict=True)]
    allowed = risk if min(bounds) <= risk else NEARLY * min(bounds)
    best = max(index for index, bound in enumerate(bounds) if bound <= allowed)
    least = float(confidence[order][counts[best] - 1])
    return Selection(least, bounds[best], int(wrong[best]), int(counts[best]), len(order))


def softmax(logits: _Floats) -> _Floats:
    """Returns the probabilities of float [N,C] logits."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
