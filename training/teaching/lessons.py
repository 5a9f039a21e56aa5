"""The batches that a version learns from: new views and pictures of the rehearsal set."""

from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from training.data.dataset import OTHER
from training.export.calibration import softmax
from training.progress import Progress
from training.rehearsal.parts import Floats, Parts
from training.rehearsal.rehearsal import NO_CLASS, Rehearsal
from training.schedule import warmed_cosine

BATCH = 48
NEW_SHARE = 0.25
"""The share of new views in each batch."""
OTHER_SHARE = 0.5
"""The share of `Other` among the old pictures of a batch."""
_SMOOTHING = 0.05
_MOMENTUM = 0.98


@dataclass(frozen=True)
class Examples:
    """Pictures to learn from or to evaluate on.

    Attributes:
        activations: float32 [N,h,w,D].
        labels: The classes, str [N].
    """

    activations: Floats
    labels: NDArray[np.str_]


class Before(NamedTuple):
    """The version that is taught.

    Attributes:
        network: Its parts.
        classes: Its classes.
        temperature: The temperature of its calibration, which gives the version's probabilities.
    """

    network: Parts
    classes: list[str]
    temperature: float


class Lessons(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is untyped
    """Batches of activations, float32 [B,h,w,D], with target probabilities, float32 [B,C].

    The target of an old picture is the old version's probabilities, if its answer is right. So the
    network forgets less than with the bare class as the target, and stays as sure as it was (Li and
    Hoiem, Learning without Forgetting, ECCV 2016).
    """

    def __init__(
        self,
        before: Before,
        new: Examples,
        kept: Rehearsal,
        classes: list[str],
        steps: int,
        seed: int,
        new_share: float = NEW_SHARE,
    ) -> None:
        """Prepares the batches.

        Args:
            before: The version that is taught.
            new: Views of the new photos.
            kept: The rehearsal set of that version.
            classes: All classes, including those of the new photos.
            steps: The number of batches.
            seed: Decides which pictures are drawn.
            new_share: The share of new views in each batch.
        """
        super().__init__()
        self._new, self._kept = new, kept
        self._old = np.flatnonzero(~kept.held_out)
        self._new_targets = _smooth(new.labels, classes)
        self._old_targets = _told_before(before, kept, self._old, classes)
        self._odds = _odds(kept.labels[self._old])
        self._steps, self._seed, self._new_share = steps, seed, new_share

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Floats, Floats]:
        rng = np.random.default_rng((self._seed, step))
        new = rng.integers(0, len(self._new.labels), round(BATCH * self._new_share))
        old = rng.choice(len(self._old), BATCH - len(new), p=self._odds)
        activations = [self._new.activations[new], self._kept.activations(self._old[old])]
        return np.concatenate(activations), np.concatenate(
            [self._new_targets[new], self._old_targets[old]]
        )


def learn(network: Parts, lessons: Lessons, stage: str, rate: float) -> None:
    """Trains the top of a network on all batches; its final weights are running averages."""
    steps = len(lessons)
    network.top.compile(
        keras.optimizers.AdamW(
            warmed_cosine(rate, steps),
            weight_decay=0.02,
            global_clipnorm=1.0,
            use_ema=True,
            ema_momentum=_MOMENTUM,
        ),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    network.top.fit(lessons, verbose=0, callbacks=[Progress(stage, 1, steps, estimates=True)])


def _smooth(labels: NDArray[np.str_], classes: list[str]) -> Floats:
    """Returns the classes as smoothed labels, float32 [N,C]."""
    exact = np.eye(len(classes), dtype=np.float32)[
        [classes.index(each) for each in labels.tolist()]
    ]
    return exact * (1 - _SMOOTHING) + _SMOOTHING / len(classes)


def _told_before(
    before: Before,
    kept: Rehearsal,
    chosen: NDArray[np.integer],
    classes: list[str],
) -> Floats:
    """Returns the old version's probabilities, float32 [N,C]; the right class where it is wrong."""
    targets = np.zeros((len(chosen), len(classes)), np.float32)
    places = [classes.index(name) for name in before.classes]
    logits = before.network.logits(kept.activations(chosen))
    targets[:, places] = softmax(logits / before.temperature)
    labels = kept.labels[chosen]
    said = np.array(classes)[targets.argmax(1)]
    wrong = (said != labels) & (labels != NO_CLASS)
    targets[wrong] = _smooth(labels[wrong], classes)
    return targets


def _odds(labels: NDArray[np.str_]) -> NDArray[np.float64]:
    """Returns each picture's probability of being drawn, float64 [N]; `Other` gets its share."""
    other = labels == OTHER
    share = OTHER_SHARE if 0 < other.sum() < len(labels) else float(other.any())
    odds = np.where(other, share / max(1, other.sum()), (1 - share) / max(1, (~other).sum()))
    return np.asarray(odds / odds.sum())
