"""How sure is sure enough: a temperature for the probabilities and a threshold for accepting."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.floating]

TEMPERATURES = np.geomspace(0.25, 4, 161)


class Calibration(NamedTuple):
    """What the graph needs besides the weights.

    Attributes:
        temperature: The logits are divided by it before the softmax.
        threshold: A picture is accepted where its highest probability is at least this.
        second_look_below: A picture is looked at twice where its highest probability is below
            this at the first look; 0: none is.
    """

    temperature: float
    threshold: float
    second_look_below: float = 0.0


def calibrate(logits: _Floats, labels: NDArray[np.integer], risk: float) -> Calibration:
    """Chooses temperature and threshold on pictures that the training did not see.

    Args:
        logits: float [N,C].
        labels: int [N], the right class of each.
        risk: The share of wrong answers, among those accepted, that is tolerated, in [0,1].
    """
    temperature = best_temperature(logits, labels)
    return Calibration(temperature, accepted_from(logits / temperature, labels, risk))


def accepted_from(logits: _Floats, labels: NDArray[np.integer], risk: float) -> float:
    """Returns the threshold for logits that were divided by the temperature already."""
    probabilities = softmax(logits)
    right = probabilities.argmax(1) == labels
    return threshold_for(probabilities.max(1), right, risk)


def best_temperature(logits: _Floats, labels: NDArray[np.integer]) -> float:
    """Returns the temperature of the least negative log-likelihood.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    return float(min(TEMPERATURES, key=lambda t: negative_log_likelihood(logits / t, labels)))


def negative_log_likelihood(logits: _Floats, labels: NDArray[np.integer]) -> float:
    """Returns the mean over N pictures, in nats."""
    chosen = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def threshold_for(confidence: _Floats, right: NDArray[np.bool_], risk: float) -> float:
    """Returns the least threshold at which accepted answers are wrong no more often than `risk`.

    Args:
        confidence: float [N], the highest probability of each picture.
        right: bool [N].
        risk: The tolerated share of wrong answers among those accepted.

    Returns:
        A threshold in (0,1]; 1.0 where no other one keeps the risk.
    """
    order = np.argsort(-confidence, kind="stable")
    wrong_share = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    within = np.flatnonzero(wrong_share <= risk)
    return float(confidence[order][within[-1]]) if len(within) else 1.0


def softmax(logits: _Floats) -> _Floats:
    """Returns the probabilities of float [N,C] logits."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
