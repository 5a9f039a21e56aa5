"""What a run keeps while it learns: averaged weights, the best of them, and where to go on.

Judged and saved are the running averages of the weights, which generalise better than the weights
of any one step: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992) 838-855.
"""

import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

WEIGHTS = "classifier.weights.h5"
STATE = "state.npz"


class Keeper(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """After each epoch judges the averaged weights, saves the best, and writes how to go on."""

    def __init__(
        self,
        run: Path,
        epochs: int,
        judged: tuple[NDArray[Any], NDArray[np.float32]],
        patience: int,
        momentum: float = 0.995,
    ) -> None:
        """Keeps things in the folder `run`.

        Args:
            run: The folder.
            epochs: How many there will be.
            judged: What decides which epoch is best: N inputs, and one-hot classes, float32 [N,C].
            patience: After how many epochs without a better one to stop.
            momentum: What the average keeps of itself at each step.
        """
        super().__init__()
        self._run, self._epochs, self._judged = run, epochs, judged
        self._patience, self._momentum = patience, momentum
        self._averages: list[NDArray[Any]] = []
        self._best, self._best_epoch = np.inf, -1
        self.next_epoch = 0

    def resume(self, model: keras.Model) -> None:
        """Puts a compiled model, and this, back to where the last finished epoch left them.

        Raises:
            FileNotFoundError: No epoch was finished.
        """
        if not (self._run / STATE).is_file():
            raise FileNotFoundError(f"{self._run} has no finished epoch to go on from.")
        model.optimizer.build(model.trainable_variables)
        with np.load(self._run / STATE) as state:
            for name, variables in _variables(model).items():
                for index, variable in enumerate(variables):
                    variable.assign(state[f"{name}.{index}"])
            self._averages = [state[f"average.{i}"] for i in range(len(model.weights))]
            self._best, self._best_epoch = float(state["best"]), int(state["best_epoch"])
            self.next_epoch = int(state["next_epoch"])

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Starts the average where the weights are."""
        self._averages = self._averages or self.model.get_weights()
        self._began, self._first_epoch = time.monotonic(), self.next_epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Moves the average a little towards the weights."""
        for average, weight in zip(self._averages, self.model.weights, strict=True):
            average += (1 - self._momentum) * (np.asarray(weight) - average)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Judges, saves, and stops where nothing gets better."""
        logs = {} if logs is None else logs
        current = self.model.get_weights()
        self.model.set_weights(self._averages)
        logs["val_loss"], logs["val_accuracy"] = self.model.evaluate(*self._judged, verbose=0)
        if logs["val_loss"] < self._best:
            self._best, self._best_epoch = logs["val_loss"], epoch
            self._save_best()
        self.model.set_weights(current)
        self.next_epoch = epoch + 1
        self._write_state()
        self.model.stop_training = epoch - self._best_epoch >= self._patience
        self._tell(logs)

    def _save_best(self) -> None:
        """By a rename, so that a kill does not spoil the best there was."""
        draft = self._run / f"draft-{WEIGHTS}"
        self.model.save_weights(draft)
        os.replace(draft, self._run / WEIGHTS)

    def _write_state(self) -> None:
        """By a rename, so that a kill leaves the last epoch's or this one's."""
        arrays = {
            f"{name}.{index}": np.asarray(variable)
            for name, variables in _variables(self.model).items()
            for index, variable in enumerate(variables)
        }
        arrays |= {f"average.{index}": value for index, value in enumerate(self._averages)}
        marks = {"best": self._best, "best_epoch": self._best_epoch, "next_epoch": self.next_epoch}
        arrays |= {name: np.asarray(value) for name, value in marks.items()}
        draft = self._run / f"draft-{STATE}"
        np.savez(draft, allow_pickle=False, **arrays)
        os.replace(draft, self._run / STATE)

    def _tell(self, logs: dict[str, float]) -> None:
        took = (time.monotonic() - self._began) / (self.next_epoch - self._first_epoch)
        left = 0 if self.model.stop_training else self._epochs - self.next_epoch
        best = "the best so far" if self._best_epoch == self.next_epoch - 1 else "no better"
        print(  # noqa: T201
            f"\nepoch {self.next_epoch} of {self._epochs}: held-out views"
            f" {logs['val_accuracy']:.1%} right, loss {logs['val_loss']:.3f} ({best});"
            f" {left * took / 60:.0f} min left",
            flush=True,
        )


def _variables(model: keras.Model) -> dict[str, list[Any]]:
    return {"weight": model.weights, "optimizer": model.optimizer.variables}
