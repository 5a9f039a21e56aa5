"""Photos that show one bill become scenes, whole or in part, alone or next to others."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.augmentation.camera import EffectProbabilities
from training.counting.scenes import photos
from training.counting.scenes.joined import joined
from training.counting.scenes.photos import Known
from training.counting.scenes.scene import Frame, taken
from training.data.dataset import Photo

NO_EFFECTS = EffectProbabilities(shadow=0, glare=0, colour=0, blur=0, noise=0, jpeg=0)
PLACE = np.array([[0.2, 0.3], [0.8, 0.3], [0.8, 0.7], [0.2, 0.7]], np.float32)


def photo(label: str, colour: tuple[int, int, int]) -> Known:
    """A plain rectangle on black, where the bill is said to lie."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[60:140, 60:240] = colour
    return Known(label, PLACE, pixels)


RED, BLUE = photo("5", (255, 0, 0)), photo("20", (0, 0, 255))


def frames(known: Known, number: int) -> list[Frame]:
    rng = np.random.default_rng(1)
    return [photos.framed([known], rng) for _ in range(number)]


def of_colour(pixels: np.ndarray, box: np.ndarray, channel: int) -> tuple[float, float]:
    """Which share of a box, in pixels, has a colour, and which share of the colour is in it."""
    mask = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(box).astype(np.int32), 1)
    bright = pixels[..., channel] > 127
    both = (bright & (mask > 0)).sum()
    return float(both / mask.sum()), float(both / max(1, bright.sum()))


def test_the_box_of_the_bill_follows_it_through_cuts_and_turns() -> None:
    for frame in frames(RED, 40):
        (bill,) = frame.bills
        filled, within = of_colour(frame.canvas, bill.box, 0)
        assert bill.label == "5"
        assert filled > 0.9
        assert within > 0.9
        assert not frame.empty


def test_photos_come_upright_and_turned_whole_and_cut() -> None:
    shapes = [frame.canvas.shape[:2] for frame in frames(RED, 40)]
    assert 0.1 < np.mean([height > width for height, width in shapes]) < 0.6
    assert 0.2 < np.mean([height * width < 55_000 for height, width in shapes]) < 0.8


@pytest.mark.parametrize("number", [2, 3, 4])
def test_joined_photos_keep_every_bill_in_its_place(number: int) -> None:
    rng = np.random.default_rng(number)
    for _ in range(10):
        made = joined([*frames(RED, number - 1), *frames(BLUE, 1)], rng)
        assert sorted(bill.label for bill in made.bills) == ["20", *["5"] * (number - 1)]
        blue = next(bill for bill in made.bills if bill.label == "20")
        filled, _ = of_colour(made.canvas, blue.box, 2)  # A gap may be blue, too.
        assert filled > 0.85


def test_a_joined_picture_is_shown_the_right_way_round() -> None:
    half = np.zeros((40, 60, 3), np.uint8)
    half[:, 30:] = 255
    nothing = Frame(half, [], np.zeros((40, 60), bool), empty=True)
    made = joined([nothing, nothing], np.random.default_rng(0))
    scene = taken(made, np.random.default_rng(0), NO_EFFECTS, 448)
    assert scene.empty
    tiles = np.array_split(made.canvas, 2, axis=0 if made.canvas.shape[0] > 320 else 1)
    for tile in tiles:
        dark, light = np.array_split(tile.astype(float), 2, axis=1)
        assert light.mean() > 2 * dark.mean()


def test_only_photos_that_the_file_names_are_known(tmp_path: Path) -> None:
    file = tmp_path / "photos.csv"
    file.write_text("file,x1,y1,x2,y2,x3,y3,x4,y4\n5/a-1.png,0,0,1,0,1,1,0,1\n")
    some = [Photo(Path(f"{value}/a-1.png"), value, "a") for value in ("5", "20")]
    pictures = [np.zeros((4, 4, 3), np.uint8)] * 2
    (found,) = photos.known(some, pictures, file)
    assert found.label == "5"
