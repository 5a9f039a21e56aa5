"""Checkpoints of a training run: averaged weights, the best of them, and the state to resume from.

The running averages of the weights are evaluated and saved. They generalise better than the weights
after a single step: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992) 838-855.
"""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from training.data.drafts import replacing
from training.progress import say
from training.run_folder import STATE, WEIGHTS

_SEED = "seed_generator_state"
"""What Keras calls the state of a layer's random numbers."""


class Judge(Protocol):
    """Evaluates a model after each epoch, to find the best epoch."""

    def evaluate(self, model: keras.Model) -> tuple[float, float]:
        """Returns the loss, by which epochs are compared, and the share of right answers."""

    @property
    def about(self) -> str:
        """Says what loss and accuracy are measured on, for the progress line."""


class HeldOut(NamedTuple):
    """Held-out views of classes.

    Attributes:
        inputs: N inputs of the network.
        labels: Their classes, one-hot float32 [N,C].
        weights: The weight of each input in loss and accuracy, float32 [N] with a mean of 1.
    """

    inputs: NDArray[Any]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]

    @property
    def about(self) -> str:
        """Says what loss and accuracy are measured on."""
        return "held-out views, the mean over classes and sources"

    def evaluate(self, model: keras.Model) -> tuple[float, float]:
        """Returns loss and accuracy, both weighted means over the held-out inputs."""
        logits = model.predict(self.inputs, verbose=0)
        losses = np.asarray(model.loss.call(self.labels, logits))
        right = logits.argmax(1) == self.labels.argmax(1)
        return (
            float(np.average(losses, weights=self.weights)),
            float(np.average(right, weights=self.weights)),
        )


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Evaluates the averaged weights after each epoch, saves the best, and stops early."""

    def __init__(
        self, run: Path, epochs: int, held_out: Judge, patience: int, momentum: float = 0.995
    ) -> None:
        """Saves into the folder `run`.

        Args:
            run: The folder.
            epochs: The number of epochs of the whole run.
            held_out: Evaluates the model, to find the best epoch.
            patience: Training stops after this many epochs without an improvement.
            momentum: The share of the old average that is kept at each step.
        """
        super().__init__()
        self._run, self._epochs, self._held_out = run, epochs, held_out
        self._patience, self._momentum = patience, momentum
        self._averages: list[NDArray[Any]] = []
        self._best, self._best_epoch = np.inf, -1
        self.next_epoch = 0

    def save_start(self, model: keras.Model) -> None:
        """Writes the state of a compiled model before the first epoch, to resume from."""
        model.optimizer.build(model.trainable_variables)
        self._averages = model.get_weights()
        self._write_state(model)

    def resume(self, model: keras.Model) -> None:
        """Restores a compiled model and this callback to their state after the last finished epoch.

        Raises:
            FileNotFoundError: No state was written.
        """
        if not (self._run / STATE).is_file():
            raise FileNotFoundError(f"{self._run} has no finished epoch to go on from.")
        model.optimizer.build(model.trainable_variables)
        with np.load(self._run / STATE) as state:
            for name, variables in _variables(model).items():
                for index, variable in enumerate(variables):
                    if f"{name}.{index}" in state:  # Older states have no seeds.
                        variable.assign(state[f"{name}.{index}"])
            self._averages = [state[f"average.{i}"] for i in range(len(model.weights))]
            self._best, self._best_epoch = float(state["best"]), int(state["best_epoch"])
            self.next_epoch = int(state["next_epoch"])

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Starts the average at the current weights."""
        self._averages = self._averages or self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Moves the average a little towards the weights."""
        for average, weight in zip(self._averages, self.model.weights, strict=True):
            average += (1 - self._momentum) * (np.asarray(weight) - average)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Evaluates, saves, and stops after `patience` epochs without an improvement.

        Raises:
            ValueError: The loss is no finite number.
        """
        logs = {} if logs is None else logs
        current = self.model.get_weights()
        self.model.set_weights(self._averages)
        logs["val_loss"], logs["val_accuracy"] = self._held_out.evaluate(self.model)
        if not np.isfinite(logs["val_loss"]):
            raise ValueError("The loss is no number: the training diverged. Use a lower --rate.")
        if logs["val_loss"] < self._best:
            self._best, self._best_epoch = logs["val_loss"], epoch
            self._save_best()
        self.model.set_weights(current)
        self.next_epoch = epoch + 1
        self._write_state(self.model)
        self.model.stop_training = epoch - self._best_epoch >= self._patience
        self._tell(logs)

    def _save_best(self) -> None:
        with replacing(self._run / WEIGHTS) as draft:
            self.model.save_weights(draft)

    def _write_state(self, model: keras.Model) -> None:
        arrays = {
            f"{name}.{index}": np.asarray(variable)
            for name, variables in _variables(model).items()
            for index, variable in enumerate(variables)
        }
        arrays |= {f"average.{index}": value for index, value in enumerate(self._averages)}
        marks = {"best": self._best, "best_epoch": self._best_epoch, "next_epoch": self.next_epoch}
        arrays |= {name: np.asarray(value) for name, value in marks.items()}
        with replacing(self._run / STATE) as draft:
            np.savez(draft, allow_pickle=False, **arrays)

    def _tell(self, logs: dict[str, float]) -> None:
        best = "the best so far" if self._best_epoch == self.next_epoch - 1 else "no better"
        say(
            f"epoch {self.next_epoch} of {self._epochs}: {logs['val_accuracy']:.1%} right, loss"
            f" {logs['val_loss']:.3f}, {self._held_out.about} ({best})"
        )


def is_finished(run: Path, epochs: int, patience: int) -> bool:
    """Returns whether a run is finished: all its epochs are done, or it stopped early."""
    if not (run / STATE).is_file():
        return False
    with np.load(run / STATE) as state:
        after, best = int(state["next_epoch"]), int(state["best_epoch"])
    return after >= epochs or (after > 0 and after - 1 - best >= patience)


def _variables(model: keras.Model) -> dict[str, list[Any]]:
    """Returns what training changes; the seeds are those of dropout, which are no weights."""
    seeds = [variable for variable in model.variables if variable.name == _SEED]
    return {"weight": model.weights, "optimizer": model.optimizer.variables, "seed": seeds}
