"""Pictures of several bills, of values that do not exist, and of nothing."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests import specimen
from training.augmentation import augment, several
from training.augmentation.camera import Pixels
from training.augmentation.edges import Edges
from training.augmentation.made_up import (
    FONTS,
    HELD_OUT_FONTS,
    HELD_OUT_VALUES,
    LEAST_HEIGHT,
    VALUES,
    is_flat,
    made_up,
)
from training.augmentation.textures import texture

CLASSES = ["5", "20", "100", "Other"]
FLAT = [np.asarray(Image.new("RGB", (235, 100), colour)) for colour in ("red", "green", "blue")]
OTHER = np.asarray(specimen.other(width=200, seed=1))
BACKGROUND = np.full((300, 300, 3), 128, np.uint8)
# On the background always, so that no other colour comes into view.
BARE = replace(augment.without("shadow,glare,colour,blur,noise,jpeg,crumple,finger"), composite=1.0)


@pytest.fixture
def edges() -> Edges:
    return Edges([*FLAT, OTHER], np.eye(4, dtype=np.float32), CLASSES, [BACKGROUND], BARE)


@pytest.mark.parametrize("kind", ["several", "made up", "texture"])
def test_the_same_chance_draws_the_same_picture(edges: Edges, kind: str) -> None:
    one, label = edges.draw(kind, np.random.default_rng(3))
    again, _ = edges.draw(kind, np.random.default_rng(3))
    assert one.shape == (224, 224, 3)
    assert one.dtype == np.uint8
    assert label.sum() == 1
    np.testing.assert_array_equal(one, again)


def test_several_bills_share_their_label_among_those_that_are_seen(edges: Edges) -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        pixels, label = edges.draw("several", rng)
        shown = [colour for colour in range(3) if _much_of(colour, pixels)]
        assert set(shown) <= set(np.flatnonzero(label))
        assert len(set(label[label > 0].round(4).tolist())) == 1
        assert label[3] == 0


def _much_of(colour: int, pixels: Pixels) -> bool:
    pure = np.delete(pixels, colour, 2).max(2) < 40
    return bool((pure & (pixels[..., colour] > 90)).mean() > 0.02)


@pytest.mark.parametrize("kind", ["made up", "texture"])
def test_what_is_no_bill_is_other(edges: Edges, kind: str) -> None:
    _, label = edges.draw(kind, np.random.default_rng(0))
    assert label.tolist() == [0, 0, 0, 1]


def test_without_other_or_a_second_bill_there_are_fewer_kinds() -> None:
    two = np.eye(2, dtype=np.float32)
    assert Edges(FLAT[:2], two, ["5", "20"], [BACKGROUND], BARE).kinds == ["several"]
    one_bill = Edges([FLAT[0], OTHER], two, ["5", "Other"], [BACKGROUND], BARE)
    assert one_bill.kinds == ["made up", "texture"]
    assert Edges(FLAT[:1], two[:1], ["5", "20"], [BACKGROUND], BARE).kinds == []


def test_a_made_up_note_differs_where_a_bill_tells_its_value() -> None:
    bill = np.asarray(specimen.bill("20", width=400).resize((400, 170)))
    assert is_flat(bill)
    for seed in range(20):
        changed = (made_up(bill, OTHER, np.random.default_rng(seed)) != bill).any(2)
        for corner in (changed[:40, :50], changed[:40, -50:], changed[-40:, :50]):
            assert corner.mean() > 0.2
        assert not changed[60:110, :80].any()


def test_a_note_that_is_too_small_to_write_on_is_not_flat() -> None:
    assert not is_flat(np.zeros((3, 7, 3), np.uint8))
    small = np.zeros((LEAST_HEIGHT, round(2.3 * LEAST_HEIGHT), 3), np.uint8)
    assert is_flat(small)
    for seed in range(20):
        assert made_up(small, OTHER, np.random.default_rng(seed)).shape == small.shape


def test_what_judges_has_other_values_and_letters_than_what_is_learnt_from() -> None:
    assert not {*VALUES} & {*HELD_OUT_VALUES}
    assert not {*FONTS} & {*HELD_OUT_FONTS}
    assert not {"1", "2", "5", "10", "20", "50", "100"} & {*VALUES, *HELD_OUT_VALUES}


def test_textures_are_drawn_or_a_part_of_a_picture() -> None:
    rng = np.random.default_rng(0)
    made = [texture(OTHER, rng) for _ in range(30)]
    assert {picture.shape for picture in made} == {(320, 320, 3)}
    grey = [(picture == picture[..., :1]).all() for picture in made]
    assert 5 < sum(grey) < 28


def test_a_row_of_bills_has_all_of_each_at_one_height_or_width() -> None:
    for seed in range(20):
        row = several.side_by_side([FLAT[0], FLAT[1][:, :60]], np.random.default_rng(seed))
        for colour in (0, 1):
            assert _much_of(colour, row)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2)])
def test_photos_of_hardly_any_pixels_can_stand_beside_others(shape: tuple[int, int]) -> None:
    thin = np.full((*shape, 3), 90, np.uint8)
    for seed in range(20):
        row = several.side_by_side([thin, FLAT[0]], np.random.default_rng(seed))
        assert max(row.shape) <= 5 * 300


def test_how_much_of_each_bill_is_seen_is_told() -> None:
    hidden = open_ = 0
    for seed in range(60):
        canvas, seen = several.laid_out(FLAT, BACKGROUND, np.random.default_rng(seed))
        assert canvas.shape == (448, 448, 3)
        assert (seen <= 1.05).all()
        hidden += bool((seen < 0.9).any())
        open_ += bool((seen > 0.95).any())
    assert hidden > 10
    assert open_ > 10
