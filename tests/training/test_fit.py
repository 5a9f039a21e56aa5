"""The network, and how a run goes on or builds on an earlier version."""

import csv
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.conftest import SMALL_RECIPE
from training.__main__ import main
from training.backbones import build
from training.fit import LOG, _earlier, classifier, load
from training.recipe import Recipe


def test_the_classifier_takes_bytes_and_scales_them_inside_the_graph() -> None:
    model = classifier(Recipe(weights="none"), ["20", "Other"])
    assert model.input.dtype == "uint8"
    scale = model.get_layer("to_unit_range")
    assert isinstance(scale, keras.layers.Rescaling)
    assert scale.scale == pytest.approx(1 / 255)
    assert model(np.zeros((1, 224, 224, 3), np.uint8)).shape == (1, 2)


def test_the_backbone_of_a_version_can_be_built_on_again(
    small_run: Path, small_version: Path
) -> None:
    backbone = build("resnet50v2", str(small_version))
    trained, _ = load(small_run)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    features = keras.Model(trained.input, trained.get_layer("pool").input)(pixels)
    np.testing.assert_allclose(backbone(pixels / np.float32(255)), features, atol=1e-4)


def test_a_version_of_another_backbone_is_refused_by_the_layer_it_lacks(
    small_version: Path,
) -> None:
    with pytest.raises(ValueError, match="no efficientnet_lite0 in it: layer conv_stem"):
        build("efficientnet_lite0", str(small_version))


def test_a_run_that_starts_from_a_version_tells_its_history(small_version: Path) -> None:
    earlier = _earlier(str(small_version))
    assert earlier is not None
    assert earlier["recipe"]["backbone"] == "resnet50v2"
    assert _earlier("imagenet") is None


def test_the_same_seed_trains_the_same_first_epoch_and_another_does_not(
    small_run: Path, drawn_photos: Path, tmp_path: Path
) -> None:
    for seed in ("1", "2"):
        arguments = ["--run", str(tmp_path / seed), "--seed", seed, *SMALL_RECIPE]
        assert main(["fit", str(drawn_photos), *arguments]) == 0
    first, same, other = (epoch_of(run) for run in (small_run, tmp_path / "1", tmp_path / "2"))
    assert same == pytest.approx(first, rel=1e-3)
    assert other["loss"] != pytest.approx(first["loss"], rel=1e-3)


def epoch_of(run: Path) -> dict[str, float]:
    """What the log says of the first epoch."""
    with (run / LOG).open(encoding="utf-8") as file:
        return {name: float(value) for name, value in next(csv.DictReader(file)).items()}


@pytest.fixture
def copied_run(small_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "run"))


def test_a_finished_run_that_is_resumed_stays_as_it_is(
    copied_run: Path, drawn_photos: Path
) -> None:
    before = (copied_run / "classifier.weights.h5").read_bytes()
    assert (
        main(["fit", str(drawn_photos), "--run", str(copied_run), "--resume", *SMALL_RECIPE]) == 0
    )
    assert (copied_run / "classifier.weights.h5").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--rate", "0.5"], "began with another recipe"),
        (["--relabel", "20=2"], "began with another data_fingerprint"),
    ],
)
def test_a_run_is_not_resumed_with_another_recipe_or_other_photos(
    copied_run: Path,
    drawn_photos: Path,
    change: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--run", str(copied_run), "--resume", *SMALL_RECIPE, *change]
    assert main(["fit", str(drawn_photos), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_what_was_never_begun_cannot_be_resumed(
    drawn_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--run", str(tmp_path), "--resume", *SMALL_RECIPE]
    assert main(["fit", str(drawn_photos), *arguments]) == 2
    assert "no run to go on with" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
