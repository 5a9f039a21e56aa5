"""Bills whose corners are marked become flat bills, from which scenes are composed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.counting.conftest import flat
from training.augmentation.camera import Pixels
from training.counting.scenes.stock import flat_bills, stock_of
from training.data import dataset
from training.data.dataset import Photo

HEADER = "file,side,x1,y1,x2,y2,x3,y3,x4,y4\n"
MARKED = "0.25,0.25,0.75,0.25,0.75,0.6771,0.25,0.6771\n"


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    """A bill in the middle of a table for each of two classes, and one thing."""
    for label in ("5", "20", "Other"):
        table = Image.new("RGB", (800, 400), "navy")
        if label != "Other":
            table.paste(Image.fromarray(flat(label)).resize((400, 171)), (200, 100))
        (tmp_path / "photos" / label).mkdir(parents=True)
        table.save(tmp_path / "photos" / label / "a-1.png")
    return dataset.scan(tmp_path / "photos", {}, [])


def written(folder: Path, text: str) -> Path:
    file = folder / "corners.csv"
    file.write_text(text)
    return file


def difference(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_a_marked_bill_is_cut_out_and_straightened(photos: list[Photo], tmp_path: Path) -> None:
    file = written(tmp_path, f"{HEADER}20/a-1.png,back,{MARKED}")
    (found,) = flat_bills(photos, file)
    assert (found.label, found.side, found.pixels.shape) == ("20", "back", (170, 400, 3))
    assert difference(found.pixels, flat("20")) < 10


def test_scenes_have_the_marked_bills_by_class_and_side(
    photos: list[Photo], tmp_path: Path
) -> None:
    lines = [f"5/a-1.png,front,{MARKED}", f"5/a-1.png,back,{MARKED}", f"20/a-1.png,,{MARKED}"]
    stock = stock_of(photos, written(tmp_path, HEADER + "".join(lines)))
    assert {label: [len(side) for side in sides] for label, sides in stock.bills.items()} == {
        "5": [1, 1],
        "20": [1],
    }


def test_of_some_photos_only_their_bills_are_taken(photos: list[Photo], tmp_path: Path) -> None:
    file = written(tmp_path, f"{HEADER}20/a-1.png,back,{MARKED}5/a-1.png,back,{MARKED}")
    some = [photo for photo in photos if photo.label == "5"]
    assert [bill.label for bill in flat_bills(some, file)] == ["5"]
