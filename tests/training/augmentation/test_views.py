"""Training views: the same for the same seed, and each view with its class."""

from pathlib import Path

import numpy as np
import pytest

from training.augmentation.views import Views, hard_views, weighted_hard_views
from training.data import dataset
from training.recipe import Recipe


@pytest.fixture
def views(drawn_photos: Path) -> Views:
    photos, pictures = dataset.load(dataset.scan(drawn_photos, {}, []))
    return Views(photos, pictures, dataset.classes_of(photos), Recipe(batch=4)).of(0, 3)


def test_the_same_seed_shows_the_same_views_in_the_same_order(views: Views) -> None:
    for (pixels, labels), (again, labels_again) in zip(
        [views[step] for step in range(3)], [views[step] for step in range(3)], strict=True
    ):
        np.testing.assert_array_equal(pixels, again)
        np.testing.assert_array_equal(labels, labels_again)


def test_the_next_epoch_shows_the_views_behind_those_of_this_one(views: Views) -> None:
    behind = views[3][0]
    before = views[0][0]
    views.on_epoch_end()
    np.testing.assert_array_equal(views[0][0], behind)
    assert not np.array_equal(before, behind)


def test_every_view_comes_with_its_class(views: Views) -> None:
    pixels, labels = views[0]
    assert pixels.shape == (4, 224, 224, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(labels.sum(axis=1), np.ones(4))


def test_hard_views_are_the_same_at_every_call_and_keep_the_order_of_the_photos(
    drawn_photos: Path,
) -> None:
    photos = dataset.scan(drawn_photos, {}, [])
    classes = dataset.classes_of(photos)
    pixels, labels = hard_views(photos, classes, seed=1, each=2)
    assert pixels.shape == (2 * len(photos), 224, 224, 3)
    assert [classes[i] for i in labels.argmax(1)[::2]] == [photo.label for photo in photos]
    np.testing.assert_array_equal(pixels, hard_views(photos, classes, seed=1, each=2)[0])


def test_hard_views_of_rare_photos_count_more(drawn_photos: Path) -> None:
    photos = [
        photo
        for photo in dataset.scan(drawn_photos, {}, [])
        if photo.label == "5" or photo.path.stem == "drawn-0"
    ]
    classes = dataset.classes_of(photos)
    _, labels, weights = weighted_hard_views(photos, classes, seed=1, each=2)
    five = labels[:, classes.index("5")] == 1
    assert weights.shape == (2 * len(photos),)
    assert weights[~five] == pytest.approx(6 * weights[five][0])


def views_of(folder: Path, recipe: Recipe) -> Views:
    photos, pictures = dataset.load(dataset.scan(folder, {}, []))
    return Views(photos, pictures, dataset.classes_of(photos), recipe)


def test_a_weight_shows_a_class_more_often(drawn_photos: Path) -> None:
    views = views_of(drawn_photos, Recipe(batch=4, other_share=1.0, class_weights="5=1000"))
    _, labels = views[0]
    np.testing.assert_array_equal(labels, np.tile([0, 1, 0, 0], (4, 1)))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe(class_weights="50=2"), r"Unknown class '50'.*Expected one of \['1', '5'"),
        (Recipe(source_weights="mine=2"), r"Unknown source 'mine'.*Expected one of \['drawn'\]"),
    ],
)
def test_a_weight_of_a_class_or_source_that_does_not_exist_is_refused(
    drawn_photos: Path, recipe: Recipe, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        views_of(drawn_photos, recipe)
