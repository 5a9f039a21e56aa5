"""Scenes are composed of flat bills, and record the visible part of each bill."""

import numpy as np
import pytest
from numpy.random import Generator

from training.augmentation.camera import EffectProbabilities
from training.counting.scenes import places
from training.counting.scenes.compose import Handling, compose
from training.counting.scenes.places import Quad
from training.counting.scenes.scene import Scene, bare, taken
from training.counting.scenes.stock import Stock
from training.counting.scenes.visible import SEEN

NO_EFFECTS = EffectProbabilities(shadow=0, glare=0, colour=0, blur=0, noise=0, jpeg=0)


def at(*quads: Quad) -> places.Placer:
    """Lays bills at given places."""
    return lambda number, frame, rng: list(quads[:number])


def level(x: float, y: float, width: float = 200) -> Quad:
    return places.quad((x, y), width, 0.0, np.random.default_rng(0), tilt=0)


def scene(stock: Stock, place: places.Placer, number: int, seed: int = 0) -> Scene:
    return compose(stock, number, place, np.random.default_rng(seed), NO_EFFECTS)


def uncovered(stock: Stock, place: places.Placer, number: int) -> Scene:
    """A scene without things or fingers over the bills, as some seeds give it."""
    for seed in range(100):
        made = scene(stock._replace(notes=[], things=[]), place, number, seed)
        if len(made.bills) == number and all(bill.seen > 0.4 for bill in made.bills):
            return made
    raise AssertionError("every one of 100 scenes covers its bills")


def test_a_scene_is_letterboxed_and_says_which_bills_it_has(stock: Stock) -> None:
    for seed in range(10):
        made = scene(stock, places.rows, 3, seed)
        assert made.pixels.shape == (448, 448, 3)
        assert made.pixels.dtype == np.uint8
        assert {bill.label for bill in made.bills} <= {"1", "5", "20"}
        assert all(bill.seen >= SEEN for bill in made.bills)


def test_a_bill_that_lies_open_has_its_corners_as_its_box(stock: Stock) -> None:
    made = uncovered(stock, at(level(160, 120)), 1)
    width, height = np.ptp(made.bills[0].box, axis=0) * 448
    assert (width, height) == pytest.approx((200, 85), abs=3)
    assert made.bills[0].seen == pytest.approx(1, abs=0.05)


def test_the_box_of_a_covered_bill_is_that_of_the_part_that_is_seen(stock: Stock) -> None:
    made = uncovered(stock, at(level(160, 110), level(160, 150)), 2)
    below, above = made.bills
    assert np.ptp(above.box, axis=0)[1] * 448 == pytest.approx(85, abs=3)
    assert np.ptp(below.box, axis=0)[1] * 448 == pytest.approx(40, abs=4)
    assert below.seen == pytest.approx(40 / 85, abs=0.05)


def test_the_spot_of_a_bill_is_where_most_of_it_is_seen(stock: Stock) -> None:
    made = uncovered(stock, at(level(160, 110), level(160, 150)), 2)
    below, above = made.bills
    assert above.spot == pytest.approx(above.box.mean(0), abs=0.01)
    assert above.radius * 448 == pytest.approx(42, abs=3)
    assert below.spot == pytest.approx(below.box.mean(0), abs=0.01)
    assert below.radius * 448 == pytest.approx(20, abs=3)


def test_a_spot_is_on_the_bill_that_is_seen_and_not_on_the_one_that_covers_it(
    stock: Stock,
) -> None:
    crossing = places.quad((160, 120), 200, np.pi / 2, np.random.default_rng(0), tilt=0)
    below = uncovered(stock, at(level(160, 120), crossing), 2).bills[0]
    assert abs(below.spot[0] - below.box.mean(0)[0]) * 448 > 42


def test_each_side_of_a_bill_is_drawn_equally_often(stock: Stock) -> None:
    fronts = [np.full((85, 200, 3), 200, np.uint8)] * 9
    backs = [np.full((85, 200, 3), 50, np.uint8)]
    drawn = Stock({"1": [fronts, backs], "5": [fronts, backs]}, [], [], stock.backgrounds)
    made = [scene(drawn, at(level(160, 120)), 1, seed) for seed in range(60)]
    spots = [(one, one.bills[0].spot * 448) for one in made if one.bills]
    dark = [one.pixels[int(y), int(x)].mean() < 100 for one, (x, y) in spots]
    assert 0.3 < np.mean(dark) < 0.7


def test_a_hidden_bill_is_none_and_a_hardly_seen_one_is_unclear(stock: Stock) -> None:
    hidden = scene(stock, at(level(160, 120), level(160, 120)), 2)
    assert len(hidden.bills) <= 1
    strip = scene(stock._replace(notes=[]), at(level(160, 112), level(160, 120)), 2)
    assert len(strip.bills) <= 1
    assert strip.unclear.any()


def test_other_notes_are_unclear_since_they_are_hard_to_tell(stock: Stock) -> None:
    only_notes = stock._replace(things=stock.notes)
    assert any(scene(only_notes, places.rows, 0, seed).unclear.any() for seed in range(20))
    assert not any(scene(stock, places.rows, 0, seed).bills for seed in range(20))


def test_the_same_seed_gives_the_same_scene(stock: Stock) -> None:
    def draw(rng: Generator) -> Scene:
        return compose(stock, 4, places.overlapping, rng, EffectProbabilities())

    one, two = (draw(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.pixels, two.pixels)
    assert [bill.label for bill in one.bills] == [bill.label for bill in two.bills]


def test_a_scene_of_half_the_size_shows_the_same(stock: Stock) -> None:
    whole, half = (
        compose(stock, 3, places.rows, np.random.default_rng(5), NO_EFFECTS, side)
        for side in (448, 224)
    )
    mean = whole.pixels.reshape(224, 2, 224, 2, 3).mean((1, 3))
    assert half.pixels == pytest.approx(mean, abs=2)
    for one, other in zip(whole.bills, half.bills, strict=True):
        assert one.box == pytest.approx(other.box, abs=1e-6)


def handled(stock: Stock, seed: int, handling: Handling) -> Scene:
    rng = np.random.default_rng(seed)
    return compose(stock, 1, at(level(160, 120)), rng, NO_EFFECTS, handling=handling)


def test_hands_take_chance_from_streams_of_their_own(stock: Stock) -> None:
    for seed in range(5):
        flat = handled(stock, seed, Handling())
        hardly = handled(stock, seed, Handling(bent=1e-12, held=1e-12))
        assert np.array_equal(flat.pixels, hardly.pixels)


def test_a_hand_hides_part_of_a_bill_and_a_bent_bill_has_a_higher_box(stock: Stock) -> None:
    seeds = range(12)
    flat, held, bent = (
        [handled(stock, seed, handling) for seed in seeds]
        for handling in (Handling(), Handling(held=1), Handling(bent=1))
    )

    def seen(scenes: list[Scene]) -> float:
        return sum(bill.seen for made in scenes for bill in made.bills)

    def height(scenes: list[Scene]) -> float:
        sides = [bill.box[3] - bill.box[0] for made in scenes for bill in made.bills]
        return float(np.median(np.linalg.norm(sides, axis=1)))

    assert seen(held) < 0.99 * seen(flat)
    assert height(bent) > 1.05 * height(flat)


def test_a_picture_of_something_else_is_shown_as_a_whole(stock: Stock) -> None:
    picture = np.full((60, 80, 3), 200, np.uint8)
    picture[:, :40] = 50
    rng = np.random.default_rng(0)
    made = taken(bare([picture], rng), rng, NO_EFFECTS, 448)
    assert made.pixels.shape == (448, 448, 3)
    assert not made.pixels[:56].any()
    assert (made.pixels[60:380, :210] == 50).all()
    assert (made.pixels[60:380, 240:] == 200).all()
    assert made.empty
    assert not made.bills
    assert not made.unclear.any()
