"""What is learnt from: batches of new views and of the rehearsal set."""

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
"""Of each batch, the share of new views."""
OTHER_SHARE = 0.5
"""Of the old pictures of a batch, the share of `Other`."""
_SMOOTHING = 0.05
_MOMENTUM = 0.98


@dataclass(frozen=True)
class Examples:
    """What is learnt from or judged by.

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
        temperature: Of its calibration: with it the network says what the version says.
    """

    network: Parts
    classes: list[str]
    temperature: float


class Lessons(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is untyped
    """Batches of activations, float32 [B,h,w,D], with what to say to them, float32 [B,C].

    To an old picture it is to say what the version before says, where that is right: it forgets
    less than by the bare class, and stays as sure as it was (Li and Hoiem, Learning without
    Forgetting, ECCV 2016).
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
            kept: Its rehearsal set.
            classes: All classes, those of the new photos too.
            steps: How many batches there are.
            seed: Decides what is drawn.
            new_share: Of each batch, the share of new views.
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
    """Trains the top of a network on all lessons; its weights end as their running averages."""
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
    """Returns the classes, float32 [N,C], each with a little of all others."""
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
    """Returns the old probabilities of pictures, float32 [N,C]; the bare class where they err."""
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
    """Returns each picture's probability of being drawn, float64 [N]: `Other` has its share."""
    other = labels == OTHER
    share = OTHER_SHARE if 0 < other.sum() < len(labels) else float(other.any())
    odds = np.where(other, share / max(1, other.sum()), (1 - share) / max(1, (~other).sum()))
    return np.asarray(odds / odds.sum())
