"""Checkpoints of a network that is small enough to train in a second."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from training.checkpoint import Checkpoint, HeldOut, is_finished
from training.run_folder import STATE, WEIGHTS

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(64, 4)).astype(np.float32)
CLASSES = np.eye(2, dtype=np.float32)[(INPUTS.sum(1) > 0).astype(int)]

EQUAL = np.ones(len(INPUTS), np.float32)


def network(rate: float = 0.05) -> keras.Model:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.2), keras.layers.Dense(2)])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate), loss, metrics=["accuracy"], jit_compile=False)
    return model


def saved(run: Path) -> keras.Model:
    """The network as `classifier.weights.h5` has it."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.2), keras.layers.Dense(2)])
    model.load_weights(run / WEIGHTS)
    return model


def train(model: keras.Model, kept: Checkpoint, epochs: int, to: int | None = None) -> None:
    model.fit(
        INPUTS,
        CLASSES,
        batch_size=16,
        shuffle=False,
        epochs=to or epochs,
        initial_epoch=kept.next_epoch,
        callbacks=[kept],
        verbose=0,
    )


def checkpoint(
    run: Path, epochs: int = 6, patience: int = 6, weights: np.ndarray = EQUAL
) -> Checkpoint:
    return Checkpoint(run, epochs, HeldOut(INPUTS, CLASSES, weights), patience, momentum=0.8)


def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = network()
    train(whole, checkpoint(tmp_path / "whole"), 6)

    train(network(), checkpoint(tmp_path / "cut"), 6, to=2)
    second, going_on = network(), checkpoint(tmp_path / "cut")
    going_on.resume(second)
    assert going_on.next_epoch == 2
    train(second, going_on, 6)

    for one, other in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    kept, kept_too = (saved(tmp_path / name).get_weights() for name in ("whole", "cut"))
    for one, other in zip(kept, kept_too, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_the_saved_weights_are_the_average_and_not_those_of_the_last_step(tmp_path: Path) -> None:
    model = network()
    train(model, checkpoint(tmp_path), 1)
    start, last, mean = (m.get_weights()[0] for m in (network(), model, saved(tmp_path)))
    assert np.abs(mean - last).max() > 1e-3
    assert (np.sign(mean - start) == np.sign(last - start)).all()


def test_the_best_epoch_is_kept_and_training_stops_once_patience_is_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network(rate=50.0)  # it can only get worse
    kept = checkpoint(tmp_path, epochs=30, patience=3)
    train(model, kept, 30)
    assert kept.next_epoch < 30
    assert capsys.readouterr().out.count("no better") >= 3
    model.set_weights(saved(tmp_path).get_weights())
    assert model.evaluate(INPUTS, CLASSES, verbose=0)[0] == pytest.approx(kept._best, rel=1e-5)


def test_a_loss_that_is_no_number_ends_the_run_and_is_not_saved(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path, weights=np.full_like(EQUAL, np.nan))
    with pytest.raises(ValueError, match=r"the training diverged\. Use a lower --rate"):
        train(network(), kept, 1)
    assert not list(tmp_path.iterdir())


def test_each_epoch_says_how_good_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(network(), checkpoint(tmp_path), 6)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 6
    assert re.match(r"epoch 1 of 6: [\d.]+% right, loss [\d.]+, held-out views, the mean", lines[0])
    assert lines[0].endswith("(the best so far)")


def test_loss_and_accuracy_are_weighted_means_over_what_is_held_out(tmp_path: Path) -> None:
    model = network()
    only_first = np.where(np.arange(len(INPUTS)) == 0, len(INPUTS), 0).astype(np.float32)
    kept = checkpoint(tmp_path, weights=only_first)
    train(model, kept, 1)
    model.set_weights(saved(tmp_path).get_weights())
    loss, accuracy = model.evaluate(INPUTS[:1], CLASSES[:1], verbose=0)
    kept.set_model(model)
    assert kept._held_out.evaluate(model) == pytest.approx((loss, accuracy), rel=1e-4)


def test_the_state_before_the_first_epoch_can_be_resumed(tmp_path: Path) -> None:
    after_stage_one = network()
    after_stage_one.set_weights([weight + 1 for weight in after_stage_one.get_weights()])
    checkpoint(tmp_path).save_start(after_stage_one)
    resumed, kept = network(), checkpoint(tmp_path)
    kept.resume(resumed)
    assert kept.next_epoch == 0
    for one, other in zip(after_stage_one.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not is_finished(tmp_path, epochs=6, patience=1)


def test_a_run_is_finished_after_its_epochs_or_where_it_stopped_early(tmp_path: Path) -> None:
    assert not is_finished(tmp_path, epochs=6, patience=6)
    train(network(), checkpoint(tmp_path), 6, to=2)
    assert not is_finished(tmp_path, epochs=6, patience=6)
    train(network(), checkpoint(tmp_path), 6)
    assert is_finished(tmp_path, epochs=6, patience=6)
    train(network(rate=50.0), checkpoint(tmp_path, epochs=30, patience=3), 30)
    assert is_finished(tmp_path, epochs=30, patience=3)
    assert not is_finished(tmp_path, epochs=30, patience=30)


def test_a_kill_while_the_state_is_written_leaves_the_last_one(tmp_path: Path) -> None:
    train(network(), checkpoint(tmp_path), 6, to=2)
    (tmp_path / f"draft-{STATE}").write_bytes(b"half of it")
    again = checkpoint(tmp_path)
    again.resume(network())
    assert again.next_epoch == 2


def test_without_a_finished_epoch_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no finished epoch to go on from"):
        checkpoint(tmp_path).resume(network())
