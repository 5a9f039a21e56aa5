"""Training views: repeatable, never mirrored, and still showing the photo."""

from collections.abc import Callable

import numpy as np
import pytest

from tests import specimen
from training.augmentation import augment, camera, layout
from training.augmentation.camera import Pixels

PHOTO = np.asarray(specimen.bill("20", width=400))
TABLE = np.asarray(specimen.other(width=300))
NEVER = augment.EffectProbabilities(**dict.fromkeys(vars(augment.EffectProbabilities()), 0.0))


def only(effect: str) -> augment.EffectProbabilities:
    return augment.EffectProbabilities(**{**vars(NEVER), effect: 1.0})


def views(
    count: int, strength: augment.EffectProbabilities | None = None, photo: Pixels = PHOTO
) -> list[Pixels]:
    rng = np.random.default_rng(7)
    return [augment.view(photo, TABLE, rng, strength) for _ in range(count)]


def alike(one: Pixels, other: Pixels) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_a_view_is_what_the_model_takes() -> None:
    for view in views(100):
        assert view.shape == (224, 224, 3)
        assert view.dtype == np.uint8


def test_the_same_state_of_chance_gives_the_same_view() -> None:
    np.testing.assert_array_equal(views(10), views(10))


def test_views_differ_from_each_other() -> None:
    assert len({view.tobytes() for view in views(20)}) == 20


def test_effects_are_left_out_by_name() -> None:
    odds = augment.without("fan,glare")
    assert (odds.fan, odds.glare) == (0, 0)
    assert augment.without("") == augment.EffectProbabilities()


def test_an_effect_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"Unrecognized effects: fog\. Expected some of .*shadow"):
        augment.without("fan,fog")


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2), (3, 4)])
def test_photos_of_hardly_any_pixels_have_views_too(shape: tuple[int, int]) -> None:
    always = augment.EffectProbabilities(**dict.fromkeys(vars(NEVER), 1.0))
    assert len(views(20, always, np.full((*shape, 3), 90, np.uint8))) == 20


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 2), (400, 1), (1, 400)])
def test_pictures_of_hardly_any_pixels_can_be_tables(shape: tuple[int, int]) -> None:
    background, rng = np.full((*shape, 3), 90, np.uint8), np.random.default_rng(0)
    for _ in range(20):
        assert layout.table(background, rng).shape == (layout.SIDE, layout.SIDE, 3)


def test_no_view_is_mirrored() -> None:
    """Where the photo's corners land, they go round the same way as in the photo."""
    rng = np.random.default_rng(3)
    strip = PHOTO[:40]
    for photo in (PHOTO, strip) * 300:
        quad = layout.corners_of(photo, rng, size=1.0, turn=rng.uniform(0, 6.28), drift=0.3)
        below = layout.beside(quad, 1, rng)
        for corners in (quad, below):
            x, y = corners.T
            assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0


@pytest.mark.parametrize(
    "happen",
    [
        augment._crumple,
        augment._cover,
        camera._light,
        camera._shadow,
        camera._glare,
        camera._blur,
        camera._noise,
        camera._jpeg,
    ],
)
def test_each_effect_changes_the_picture_but_leaves_most_of_it_recognisable(
    happen: Callable[[Pixels, np.random.Generator], Pixels],
) -> None:
    before = views(1, NEVER)[0]
    rng = np.random.default_rng(5)
    after = [happen(before, rng) for _ in range(20)]
    assert all(view.shape == before.shape and view.dtype == np.uint8 for view in after)
    assert not any(np.array_equal(before, view) for view in after)
    assert np.median([alike(before, view) for view in after]) > 0.6


@pytest.mark.parametrize("axis", [0, 1])
def test_a_part_keeps_about_half_of_one_side_or_more(axis: int) -> None:
    rng = np.random.default_rng(2)
    shapes = [augment._part(PHOTO, axis, rng).shape for _ in range(200)]
    shares = [shape[axis] / PHOTO.shape[axis] for shape in shapes]
    assert 0.34 < min(shares) < 0.4
    assert 0.75 < max(shares) < 0.82
    assert {shape[1 - axis] for shape in shapes} == {PHOTO.shape[1 - axis]}


def test_a_corner_is_a_part_of_a_part() -> None:
    rng = np.random.default_rng(2)
    odds = augment.EffectProbabilities(**{**vars(only("part")), "corner": 1.0})
    for _ in range(50):
        height, width = augment._paper(PHOTO, rng, odds).shape[:2]
        assert height < PHOTO.shape[0]
        assert width < PHOTO.shape[1]


def test_a_fold_foreshortens_and_shades_what_lies_beyond_it() -> None:
    flat = np.full((100, 400, 3), 200, np.uint8)
    rng = np.random.default_rng(4)
    folded = [augment._crease(flat, rng) for _ in range(50)]
    assert all(paper.size <= flat.size for paper in folded)
    assert min(paper.size for paper in folded) < 0.8 * flat.size
    assert all(len(np.unique(paper)) >= 2 for paper in folded)


def test_a_stretched_square_photo_gets_the_shape_of_a_bill_back() -> None:
    square = np.full((200, 200, 3), 9, np.uint8)
    rng = np.random.default_rng(1)
    height, width = augment._paper(square, rng, only("unstretch")).shape[:2]
    assert width / height == pytest.approx(augment.BILL_ASPECT, rel=0.02)
    assert augment._paper(PHOTO, rng, only("unstretch")).shape == PHOTO.shape


def test_a_fan_shows_more_paper_than_one_note() -> None:
    white = np.full((100, 240, 3), 255, np.uint8)
    black = np.zeros((50, 50, 3), np.uint8)
    shown = {}
    for name, odds in (
        ("one", only("composite")),
        ("fan", augment.EffectProbabilities(**{**vars(only("composite")), "fan": 1.0})),
    ):
        rng = np.random.default_rng(6)
        shown[name] = np.mean([augment.view(white, black, rng, odds).mean() for _ in range(50)])
    assert shown["fan"] > 1.2 * shown["one"]
