"""The network, and how a run resumes or starts from an earlier version."""

import csv
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from tests.training.conftest import RESNET_RECIPE, TINY_RECIPE, interrupt
from training.__main__ import main
from training.checkpoint import Checkpoint
from training.data import dataset
from training.data.split import near_duplicates
from training.export.calibration import Calibration
from training.export.signatures import write_saved_model
from training.fit import (
    _warn_of_another_split,
    _warn_of_classes_not_held_out,
    _warn_of_contradictions,
    classifier,
    load,
)
from training.network.backbones import build
from training.recipe import Recipe
from training.rehearsal.parts import divided
from training.run_folder import LOG, STATE, WEIGHTS, history_of


def test_the_classifier_takes_bytes_and_scales_them_inside_the_graph() -> None:
    model = classifier(Recipe(weights="none"), ["20", "Other"])
    assert model.input.dtype == "uint8"
    scale = model.get_layer("to_unit_range")
    assert isinstance(scale, keras.layers.Rescaling)
    assert scale.scale == pytest.approx(1 / 255)
    assert model(np.zeros((1, 224, 224, 3), np.uint8)).shape == (1, 2)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_computes_in_it_and_keeps_weights_and_logits_in_float32(
    precision: str,
) -> None:
    recipe = Recipe(backbone="resnet50v2", weights="none", precision=precision)
    model = classifier(recipe, ["20", "Other"])
    assert model.get_layer("pool").compute_dtype == precision.removeprefix("mixed_")
    assert model.get_layer("logits").compute_dtype == "float32"
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.usefixtures("tiny_backbone")
def test_a_run_in_half_precision_leaves_weights_that_are_exported_as_others(
    drawn_photos: Path, tmp_path: Path
) -> None:
    arguments = ["--run", str(tmp_path), "--precision", "mixed_bfloat16", *TINY_RECIPE]
    assert main(["fit", str(drawn_photos), *arguments]) == 0
    model, _ = load(tmp_path)
    assert {layer.compute_dtype for layer in model.layers} - {"uint8"} == {"float32"}
    assert np.isfinite(model(np.zeros((1, 224, 224, 3), np.uint8))).all()


def test_an_unknown_precision_is_refused(
    drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--run", str(tmp_path), "--precision", "float8", *RESNET_RECIPE]
    assert main(["fit", str(drawn_photos), *arguments]) == 2
    assert "Unknown precision 'float8'. Expected one of float32" in capsys.readouterr().err


def test_the_backbone_of_a_version_can_be_built_on_again(
    drawn_photos: Path, tmp_path: Path
) -> None:
    """The recipe of the second backbone, from photos to a graph and back, and its two parts."""
    run, version = tmp_path / "run", tmp_path / "1"
    assert main(["fit", str(drawn_photos), "--run", str(run), *RESNET_RECIPE]) == 0
    trained, facts = load(run)
    write_saved_model(version, trained, facts["classes"], Calibration(1.0, 0.5))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    features = keras.Model(trained.input, trained.get_layer("pool").input)(pixels)
    backbone = build("resnet50v2", str(version))
    np.testing.assert_allclose(backbone(pixels / np.float32(255)), features, atol=1e-4)
    parts = divided(trained, "resnet50v2")
    logits = parts.logits(parts.activations(pixels))
    np.testing.assert_allclose(logits, trained(pixels), atol=1e-4)


def test_a_version_of_another_backbone_is_refused_by_the_layer_it_lacks(
    small_version: Path,
) -> None:
    with pytest.raises(ValueError, match="no efficientnet_lite0 in it: layer conv_stem"):
        build("efficientnet_lite0", str(small_version))


def test_a_run_that_starts_from_a_version_tells_its_history(small_version: Path) -> None:
    earlier = history_of(str(small_version))
    assert earlier is not None
    assert earlier["recipe"]["backbone"] == "tiny"
    assert history_of("imagenet") is None


def test_a_start_whose_held_out_photos_were_others_is_told(
    small_version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _warn_of_another_split(Recipe(weights=str(small_version)))
    assert capsys.readouterr().out == ""
    _warn_of_another_split(Recipe(weights=str(small_version), seed=2, held_out_source="web"))
    said = capsys.readouterr().out
    assert "was trained with --seed 1 and --held-out-source '': it may have learnt" in said


@pytest.mark.usefixtures("tiny_backbone")
def test_the_same_seed_trains_the_same_first_epoch_and_another_does_not(
    drawn_photos: Path, tmp_path: Path
) -> None:
    for name, seed in (("first", "1"), ("same", "1"), ("other", "2")):
        arguments = ["--run", str(tmp_path / name), "--seed", seed, *TINY_RECIPE]
        assert main(["fit", str(drawn_photos), *arguments]) == 0
    first, same, other = (epoch_of(tmp_path / name) for name in ("first", "same", "other"))
    assert same == pytest.approx(first, rel=1e-3)
    assert other["loss"] != pytest.approx(first["loss"], rel=1e-3)


def epoch_of(run: Path) -> dict[str, float]:
    """What the log says of the first epoch."""
    with (run / LOG).open(encoding="utf-8") as file:
        return {name: float(value) for name, value in next(csv.DictReader(file)).items()}


@pytest.fixture
def copied_run(small_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "run"))


def test_a_finished_run_that_is_resumed_says_so_and_stays_as_it_is(
    copied_run: Path, drawn_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in copied_run.iterdir()}
    assert main(["fit", str(drawn_photos), "--run", str(copied_run), "--resume"]) == 0
    assert "is finished: nothing is left to train" in capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in copied_run.iterdir()} == before


@pytest.mark.usefixtures("tiny_backbone")
# The interrupt leaves Keras' log open, as it does where the process then ends.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_run_that_was_stopped_in_stage_two_goes_on_after_stage_one_with_its_own_recipe(
    drawn_photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", interrupt)
        assert main(["fit", str(drawn_photos), "--run", str(tmp_path), *TINY_RECIPE]) == 130
    output = capsys.readouterr()
    assert "stage 1 of 2: the head alone, 2 steps" in output.out
    assert "stopped. Continue after the last finished epoch with --resume." in output.err

    assert main(["fit", str(drawn_photos), "--run", str(tmp_path), "--resume"]) == 0
    said = capsys.readouterr().out
    assert "stage 1 of 2" not in said
    assert "stage 2 of 2: the top layers too, 1 epochs of 2 steps, continued after stage 1" in said
    _, facts = load(tmp_path)
    assert facts["recipe"]["backbone"] == "tiny"


@pytest.mark.usefixtures("tiny_backbone")
def test_a_run_that_was_stopped_in_stage_one_begins_again(
    drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(drawn_photos), "--run", str(tmp_path), *TINY_RECIPE]) == 0
    for name in (STATE, LOG, WEIGHTS):
        (tmp_path / name).unlink()
    capsys.readouterr()
    assert main(["fit", str(drawn_photos), "--run", str(tmp_path), "--resume"]) == 0
    assert "stage 1 of 2" in capsys.readouterr().out
    assert (tmp_path / WEIGHTS).is_file()


def test_a_class_that_nothing_is_held_out_of_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = dataset.scan(folder, {}, [])
    _warn_of_classes_not_held_out(["5", "10", "Other"], photos)
    assert not capsys.readouterr().out
    _warn_of_classes_not_held_out(["5", "10", "20", "Other"], photos)
    assert capsys.readouterr().out.startswith("No photo of 20 is held out: nothing tells")


def test_the_same_picture_in_two_classes_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _warn_of_contradictions(near_duplicates(dataset.scan(folder, {}, [])))
    assert not capsys.readouterr().out
    shutil.copy(folder / "5" / "a-1.jpg", folder / "10" / "wrong-1.jpg")
    _warn_of_contradictions(near_duplicates(dataset.scan(folder, {}, [])))
    said = capsys.readouterr().out
    assert said.startswith("same picture in more than one class: 1 times; `python -m training")


@pytest.mark.usefixtures("tiny_backbone")
def test_tensorboard_gets_the_figures_of_each_epoch(drawn_photos: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    arguments = ["--run", str(tmp_path / "run"), "--tensorboard", str(logs), *TINY_RECIPE]
    assert main(["fit", str(drawn_photos), *arguments]) == 0
    assert {"epoch_loss", "epoch_accuracy"} <= tags_of(logs / "train")
    assert {"evaluation_loss_vs_iterations", "epoch_loss"} & tags_of(logs / "validation")


def tags_of(folder: Path) -> set[str]:
    """The names of the figures in TensorBoard's logs."""
    return {
        value.tag
        for file in folder.glob("events*")
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
        for value in Event.FromString(record).summary.value
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--rate", "0.5"], "began with another recipe: rate 0.001, now 0.5. The run was begun by"),
        (["--relabel", "20=2"], "began with other photos, or other --relabel and --skip"),
    ],
)
def test_a_run_is_not_resumed_with_another_recipe_or_other_photos(
    copied_run: Path,
    drawn_photos: Path,
    change: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--run", str(copied_run), "--resume", *change]
    assert main(["fit", str(drawn_photos), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_run_that_was_never_begun_cannot_be_resumed(
    drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--run", str(tmp_path), "--resume", *RESNET_RECIPE]
    assert main(["fit", str(drawn_photos), *arguments]) == 2
    assert "holds no run" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
