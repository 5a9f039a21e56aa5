"""What is learnt from: batches of new views and of the rehearsal set."""

from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
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
MIXED_SHARE = 0.5
"""Of the old pictures of a batch, the share of those that are mixed of two."""
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

    def says(self, logits: Floats, classes: list[str]) -> Floats:
        """Returns its probabilities of N pictures, float32 [N,C], from its logits of them.

        Args:
            logits: float32 [N,c], of its own c classes.
            classes: C classes, its own among them; it gives nothing to the others.
        """
        found = np.zeros((len(logits), len(classes)), np.float32)
        found[:, [classes.index(name) for name in self.classes]] = softmax(
            logits / self.temperature
        )
        return found


class Lessons(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is untyped
    """Batches of activations, float32 [B,h,w,D], with what to say to them, float32 [B,C].

    To an old picture it is to say what the version before says, where that is right: it forgets
    less than by the bare class, and stays as sure as it was (Li and Hoiem, Learning without
    Forgetting, ECCV 2016). The kept pictures are so few that it would learn them by heart and
    change its mind about all others. So some of them are mixed in pairs (as in Zhang et al., mixup,
    ICLR 2018), which are without end, and the version before has an answer to each.
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
        self._before, self._new, self._kept, self._classes = before, new, kept, classes
        self._old = np.flatnonzero(~kept.held_out)
        self._new_targets = _exact(new.labels, classes)
        self._old_targets = _told_before(before, kept, self._old, classes)
        self._odds = _odds(kept.labels[self._old])
        self._steps, self._seed, self._new_share = steps, seed, new_share
        self._ask = tf.function(lambda pictures: before.network.top(pictures, training=False))

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Floats, Floats]:
        rng = np.random.default_rng((self._seed, step))
        new = rng.integers(0, len(self._new.labels), round(BATCH * self._new_share))
        mixed = self._mixed(round((BATCH - len(new)) * MIXED_SHARE), rng)
        old = self._draw(BATCH - len(new) - len(mixed), rng)
        told = self._before.says(self._ask(tf.constant(mixed)).numpy(), self._classes)
        parts = [self._new.activations[new], mixed, self._kept.activations(self._old[old])]
        return np.concatenate(parts), np.concatenate(
            [self._new_targets[new], told, self._old_targets[old]]
        )

    def _draw(self, number: int, rng: np.random.Generator) -> NDArray[np.integer]:
        """Returns places of old pictures to learn from, int [number]."""
        return rng.choice(len(self._old), number, p=self._odds)

    def _mixed(self, number: int, rng: np.random.Generator) -> Floats:
        """Returns old pictures that are mixed in pairs, float32 [number,h,w,D]."""
        one, other = (self._kept.activations(self._old[self._draw(number, rng)]) for _ in range(2))
        return mix(one, other, rng)


def mix(one: Floats, other: Floats, rng: np.random.Generator) -> Floats:
    """Returns the weighted means of N pairs, float32 [N,h,w,D]; the first has at least half."""
    share = rng.uniform(0.5, 1, (len(one), 1, 1, 1)).astype(np.float32)
    return share * one + (1 - share) * other


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


def _exact(labels: NDArray[np.str_], classes: list[str]) -> Floats:
    """Returns the classes, float32 [N,C].

    Without label smoothing: with it, what is new never gets as sure as the old classes are.
    """
    return np.eye(len(classes), dtype=np.float32)[[classes.index(each) for each in labels.tolist()]]


def _told_before(
    before: Before,
    kept: Rehearsal,
    chosen: NDArray[np.integer],
    classes: list[str],
) -> Floats:
    """Returns the old probabilities of pictures, float32 [N,C]; the bare class where they err."""
    targets = before.says(before.network.logits(kept.activations(chosen)), classes)
    labels = kept.labels[chosen]
    said = np.array(classes)[targets.argmax(1)]
    wrong = (said != labels) & (labels != NO_CLASS)
    targets[wrong] = _exact(labels[wrong], classes)
    return targets


def _odds(labels: NDArray[np.str_]) -> NDArray[np.float64]:
    """Returns each picture's probability of being drawn, float64 [N]: `Other` has its share."""
    other = labels == OTHER
    share = OTHER_SHARE if 0 < other.sum() < len(labels) else float(other.any())
    odds = np.where(other, share / max(1, other.sum()), (1 - share) / max(1, (~other).sum()))
    return np.asarray(odds / odds.sum())
