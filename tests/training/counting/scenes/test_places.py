"""Bills are placed as people place them: apart, in rows, overlapping, fanned or stacked."""

import itertools

import cv2
import numpy as np
import pytest

from training.counting.scenes import places
from training.counting.scenes.places import Placer, Quad

FRAME = (448, 336)


def shared(one: Quad, other: Quad) -> float:
    """The overlap of two places over the smaller one's area."""
    area, _ = cv2.intersectConvexConvex(one, other)
    return float(area / min(cv2.contourArea(one), cv2.contourArea(other)))


def drawn(place: Placer, number: int) -> list[list[Quad]]:
    return [place(number, FRAME, np.random.default_rng(seed)) for seed in range(20)]


@pytest.mark.parametrize("place", [places.rows, places.fanned, places.stacked])
def test_all_bills_find_a_place_where_they_may_touch(place: Placer) -> None:
    assert {len(found) for found in drawn(place, 5)} == {5}


def test_a_place_is_as_wide_as_a_bill_and_turned_clockwise() -> None:
    corners = places.quad((100, 80), 60, 0.5, np.random.default_rng(0), tilt=0)
    width, height = (np.linalg.norm(corners[i + 1] - corners[i]) for i in (0, 1))
    assert width == pytest.approx(60)
    assert width / height == pytest.approx(2.35, abs=0.01)
    assert np.degrees(np.arctan2(*(corners[1] - corners[0])[::-1])) == pytest.approx(28.6, abs=0.1)
    assert corners.mean(0) == pytest.approx([100, 80])


@pytest.mark.parametrize(("place", "most"), [(places.apart, 0.0), (places.up_to_30, 0.3)])
def test_bills_cover_no_more_of_each_other_than_said(place: Placer, most: float) -> None:
    for found in drawn(place, 4):
        assert all(shared(*pair) <= most + 1e-6 for pair in itertools.combinations(found, 2))


def test_half_covered_bills_each_cover_about_half_of_the_next() -> None:
    for found in drawn(places.half_covered, 4):
        assert all(0.4 <= shared(*pair) <= 0.6 for pair in itertools.pairwise(found))


def test_the_same_seed_gives_the_same_places() -> None:
    one, two = (places.fanned(3, FRAME, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(one, two)


def test_a_close_up_shows_a_part_of_one_bill() -> None:
    frame = np.array([[0, 0], [FRAME[0], 0], FRAME, [0, FRAME[1]]], np.float32)
    found = drawn(places.close_up, 1)
    open_shares = [shared(frame, place) for (place,) in found]
    widths = [np.linalg.norm(place[1] - place[0]) for (place,) in found]
    assert min(open_shares) > 0.3
    assert np.mean(np.array(widths) > FRAME[0]) > 0.7


def test_from_aside_bills_look_narrower_one_way() -> None:
    whole = [cv2.contourArea(place) for found in drawn(places.rows, 3) for place in found]
    aside = [
        cv2.contourArea(place) for found in drawn(places.oblique(places.rows), 3) for place in found
    ]
    assert 0.3 < np.mean(aside) / np.mean(whole) < 0.9
