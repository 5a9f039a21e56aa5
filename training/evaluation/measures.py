"""The measures of a set of answers: shares with intervals, calibration, the confusion matrix.

Shares are `{"share", "count", "of", "interval"}` with a 95 % Wilson interval; `share` is None of 0.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import OTHER, Photo, classes_of

_Floats = NDArray[np.floating]
_Hits = NDArray[np.bool_]

BINS = 15
# Shares of wrong answers among those given, for which the share of answers given is reported.
RISKS = (0.001, 0.003, 0.01)


@dataclass(frozen=True)
class Answers:
    """The answers of a version to N photos.

    Attributes:
        photos: The photos; the right class of each is its `label`.
        said: The most likely class of each.
        confidence: The probability of that class, float32 [N].
        accepted: Whether the model is sure, bool [N].
        probabilities: Those of all classes, in the order of their names, float32 [N, classes].
    """

    photos: list[Photo]
    said: list[str]
    confidence: NDArray[np.float32]
    accepted: _Hits
    probabilities: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.str_]:
        """The right classes, str [N]."""
        return np.array([photo.label for photo in self.photos])

    @property
    def right(self) -> _Hits:
        """Where the most likely class is the right one, bool [N]."""
        return np.asarray(self.labels == np.array(self.said))

    @property
    def mistakes(self) -> list[int]:
        """The indices of the wrong answers, the surest first."""
        surest_first = np.argsort(-self.confidence, kind="stable")
        return [int(index) for index in surest_first[~self.right[surest_first]]]

    @property
    def unsure(self) -> list[int]:
        """The indices of the answers that are not accepted, the least sure first."""
        least_sure_first = np.argsort(self.confidence, kind="stable")
        return [int(index) for index in least_sure_first[~self.accepted[least_sure_first]]]


def measures(answers: Answers) -> dict[str, Any]:
    """Returns the figures of a set of answers, ready for JSON."""
    right, accepted = answers.right, answers.accepted
    bill, claimed = answers.labels != OTHER, np.array(answers.said) != OTHER
    false_accept = accepted & claimed & ~right
    return {
        "photos": len(right),
        "top_1": share(right),
        "top_1_denominations": share(right[bill]),
        "bills_answered": share((accepted & right)[bill]),
        "bills_wrong_and_accepted": share(false_accept[bill]),
        "bills_surely_called_other": share((accepted & ~claimed)[bill]),
        "other_taken_for_money": share(false_accept[~bill]),
        "wrong_among_sure": {
            **share(~right[accepted]),
            "at_most": wrong_at_most(int((~right & accepted).sum()), int(accepted.sum())),
        },
        "augrc": augrc(answers.confidence, right),
        "coverage_at_risk": {
            str(risk): coverage_at(risk, answers.confidence, right) for risk in RISKS
        },
        "expected_calibration_error": calibration_error(answers.confidence, right),
        "by_class": by_class(answers),
        "other_taken_for_money_by_kind": _by_kind(answers, false_accept),
        "confusion": confusion(answers),
        "reliability": reliability(answers.confidence, right),
        "risk_coverage": risk_coverage(answers.confidence, right),
    }


def share(hits: _Hits) -> dict[str, Any]:
    """Returns how many of N were hits, with a 95 % Wilson interval; share None where N is 0."""
    count, of = int(hits.sum()), len(hits)
    return {
        "share": count / of if of else None,
        "count": count,
        "of": of,
        "interval": wilson(count, of),
    }


def wilson(count: int, of: int, z: float = 1.96) -> list[float]:
    """Returns the Wilson score interval of a proportion, [low, high].

    Source: E. B. Wilson, Probable Inference, JASA 22 (1927) 209-212.
    """
    if of == 0:
        return [0.0, 1.0]
    p, spread = count / of, z * z / of
    centre = (p + spread / 2) / (1 + spread)
    half = z * math.sqrt(p * (1 - p) / of + spread / (4 * of)) / (1 + spread)
    return [max(0.0, centre - half), min(1.0, centre + half)]


def wrong_at_most(wrong: int, of: int, confidence: float = 0.99) -> float:
    """Returns the upper bound of a proportion, in (0,1], that holds with the given confidence.

    Source: Clopper and Pearson, The Use of Confidence or Fiducial Limits, Biometrika 26 (1934)
    404-413, its one-sided upper limit: the share for which at most `wrong` errors in `of` have a
    probability of 1 - confidence. The limit is found by bisection.
    """
    low, high = 0.0, 1.0
    if wrong >= of:
        return high
    for _ in range(40):
        middle = (low + high) / 2
        if _at_most(wrong, of, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(wrong: int, of: int, share: float) -> float:
    """Returns the binomial probability of no more than `wrong` in `of`, for a share in (0,1)."""
    k = np.arange(wrong + 1)
    choose = [math.lgamma(of + 1) - math.lgamma(i + 1) - math.lgamma(of - i + 1) for i in k]
    return float(np.exp(choose + k * math.log(share) + (of - k) * math.log1p(-share)).sum())


def augrc(confidence: _Floats, right: _Hits) -> float:
    """Returns the area under the generalized risk-coverage curve: 0 is best, 0.5 the worst.

    The generalized risk at a coverage is the share of all pictures that are answered wrongly.

    Source: Traub et al., Overcoming Common Flaws in the Evaluation of Selective Classification
    Systems, NeurIPS 2024, section 3.
    """
    order = np.argsort(-confidence, kind="stable")
    return float((np.cumsum(~right[order]) / len(order)).mean())


def coverage_at(risk: float, confidence: _Floats, right: _Hits) -> float:
    """Returns the largest share of pictures that can be answered with a share `risk` of errors."""
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    within = np.flatnonzero(np.cumsum(~right[order]) / answered <= risk)
    return float(answered[within[-1]] / len(order)) if len(within) else 0.0


def by_class(answers: Answers) -> dict[str, dict[str, Any]]:
    """Returns three shares of each class.

    `precision` is a share of the pictures that got the class as their answer; `recall` and
    `answered` (right and accepted) are shares of the pictures of the class.
    """
    said, accepted_and_right = np.array(answers.said), answers.accepted & answers.right
    return {
        label: {
            "precision": share(answers.right[said == label]),
            "recall": share(answers.right[answers.labels == label]),
            "answered": share(accepted_and_right[answers.labels == label]),
        }
        for label in classes_of(answers.photos)
    }


def _by_kind(answers: Answers, false_accept: _Hits) -> dict[str, Any]:
    kinds = np.array([photo.kind for photo in answers.photos])
    other = answers.labels == OTHER
    return {
        str(kind) or "of no stated kind": share(false_accept[other & (kinds == kind)])
        for kind in np.unique(kinds[other])
    }


def confusion(answers: Answers) -> dict[str, dict[str, int]]:
    """Returns how often each class (outer key) got each class as its answer (inner key)."""
    table: dict[str, Counter[str]] = {label: Counter() for label in classes_of(answers.photos)}
    for photo, said in zip(answers.photos, answers.said, strict=True):
        table[photo.label][said] += 1
    return {label: dict(sorted(row.items())) for label, row in table.items()}


def calibration_error(confidence: _Floats, right: _Hits) -> float:
    """Returns the expected calibration error over 15 equal bins, in [0,1].

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2.
    """
    gaps = (abs(b["right"] - b["confidence"]) * b["count"] for b in reliability(confidence, right))
    return float(sum(gaps) / len(confidence))


def reliability(confidence: _Floats, right: _Hits) -> list[dict[str, Any]]:
    """Returns mean confidence and share of right answers in each bin that is not empty."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "confidence": float(confidence[bins == b].mean()),
            "right": float(right[bins == b].mean()),
            "count": int((bins == b).sum()),
        }
        for b in np.unique(bins)
    ]


def risk_coverage(confidence: _Floats, right: _Hits, points: int = 100) -> list[dict[str, float]]:
    """Returns, for falling thresholds, the share of photos answered and of wrong ones among them.

    Source: El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11
    (2010) 1605-1641.
    """
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    risk = np.cumsum(~right[order]) / answered
    shown = np.unique(np.linspace(0, len(order) - 1, points).astype(int))
    return [
        {
            "threshold": float(confidence[order[i]]),
            "coverage": float(answered[i] / len(order)),
            "risk": float(risk[i]),
        }
        for i in shown
    ]
