"""What the network is shown, and the network itself."""

from pathlib import Path

import keras
import numpy as np
import pytest

from training import dataset
from training.backbones import build
from training.fit import Views, _earlier_run, classifier, load
from training.recipe import Recipe


@pytest.fixture(scope="module")
def views(drawn_photos: Path) -> Views:
    photos, pictures = dataset.load(dataset.scan(drawn_photos, {}, []))
    return Views(photos, pictures, dataset.classes_of(photos), Recipe(batch=4))


def test_the_same_seed_shows_the_same_views_in_the_same_order(views: Views) -> None:
    for (pixels, labels), (again, labels_again) in zip(
        [views[step] for step in range(3)], [views[step] for step in (0, 1, 2)], strict=True
    ):
        np.testing.assert_array_equal(pixels, again)
        np.testing.assert_array_equal(labels, labels_again)


def test_the_next_epoch_shows_other_views(views: Views) -> None:
    before = views[0][0].copy()
    views.on_epoch_end()
    assert not np.array_equal(views[0][0], before)


def test_every_view_comes_with_its_class(views: Views) -> None:
    pixels, labels = views[0]
    assert pixels.shape == (4, 224, 224, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(labels.sum(axis=1), np.ones(4))


def test_a_run_that_starts_from_another_tells_its_history(small_run: Path) -> None:
    earlier = _earlier_run(str(small_run / "backbone.weights.h5"))
    assert earlier is not None
    assert earlier["recipe"]["backbone"] == "resnet50v2"
    assert _earlier_run("imagenet") is None


def test_the_backbone_of_a_run_can_be_built_on_again(small_run: Path) -> None:
    backbone = build("resnet50v2", str(small_run / "backbone.weights.h5"))
    trained, _ = load(small_run)
    pixels = np.full((1, 224, 224, 3), 128, np.uint8)
    features = keras.Model(trained.input, trained.get_layer("pool").input)(pixels)
    np.testing.assert_allclose(backbone(pixels / np.float32(255)), features, atol=1e-4)


def test_the_classifier_takes_bytes_and_scales_them_inside_the_graph() -> None:
    model = classifier(Recipe(weights="none"), ["20", "Other"])
    assert model.input.dtype == "uint8"
    scale = model.get_layer("to_unit_range")
    assert isinstance(scale, keras.layers.Rescaling)
    assert scale.scale == pytest.approx(1 / 255)
    assert model(np.zeros((1, 224, 224, 3), np.uint8)).shape == (1, 2)
