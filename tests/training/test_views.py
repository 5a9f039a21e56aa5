"""What the network is shown: the same for the same seed, and each view with its class."""

from pathlib import Path

import numpy as np
import pytest

from training import dataset
from training.recipe import Recipe
from training.views import Views, hard_views


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
