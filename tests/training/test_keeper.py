"""What a run keeps, on a network small enough to train in a blink."""

from pathlib import Path

import keras
import numpy as np
import pytest

from training.keeper import STATE, WEIGHTS, Keeper

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(64, 4)).astype(np.float32)
CLASSES = np.eye(2, dtype=np.float32)[(INPUTS.sum(1) > 0).astype(int)]


def network(rate: float = 0.05) -> keras.Model:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate), loss, metrics=["accuracy"], jit_compile=False)
    return model


def saved(run: Path) -> keras.Model:
    """The network as `classifier.weights.h5` has it."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.load_weights(run / WEIGHTS)
    return model


def train(model: keras.Model, keeper: Keeper, epochs: int, to: int | None = None) -> None:
    model.fit(
        INPUTS,
        CLASSES,
        batch_size=16,
        shuffle=False,
        epochs=to or epochs,
        initial_epoch=keeper.next_epoch,
        callbacks=[keeper],
        verbose=0,
    )


def keeper(run: Path, epochs: int = 6, patience: int = 6) -> Keeper:
    return Keeper(run, epochs, (INPUTS, CLASSES), patience, momentum=0.8)


def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = network()
    train(whole, keeper(tmp_path / "whole"), 6)

    train(network(), keeper(tmp_path / "cut"), 6, to=2)
    second, going_on = network(), keeper(tmp_path / "cut")
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
    train(model, keeper(tmp_path), 1)
    start, last, mean = (m.get_weights()[0] for m in (network(), model, saved(tmp_path)))
    assert np.abs(mean - last).max() > 1e-3
    assert (np.sign(mean - start) == np.sign(last - start)).all()


def test_the_best_epoch_is_kept_and_training_stops_once_patience_is_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network(rate=50.0)  # it can only get worse
    kept = keeper(tmp_path, epochs=30, patience=3)
    train(model, kept, 30)
    assert kept.next_epoch < 30
    assert capsys.readouterr().out.count("no better") >= 3
    model.set_weights(saved(tmp_path).get_weights())
    assert model.evaluate(INPUTS, CLASSES, verbose=0)[0] == pytest.approx(kept._best, rel=1e-5)


def test_each_epoch_tells_how_long_it_will_still_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(network(), keeper(tmp_path), 6)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 6
    assert lines[0].startswith("epoch 1 of 6: held-out views ")
    assert all(line.endswith("min left") for line in lines)


def test_a_kill_while_the_state_is_written_leaves_the_last_one(tmp_path: Path) -> None:
    train(network(), keeper(tmp_path), 6, to=2)
    (tmp_path / f"draft-{STATE}").write_bytes(b"half of it")
    again = keeper(tmp_path)
    again.resume(network())
    assert again.next_epoch == 2


def test_without_a_finished_epoch_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no finished epoch to go on from"):
        keeper(tmp_path).resume(network())
