"""The shipped counter, asked through both tiers as `make run` starts them."""

import itertools

from PIL import Image

from tests import specimen
from tests.end_to_end.conftest import Stack
from tests.photos import BILLS, real_photos
from tests.support.servers import ROOT
from training.counting.scenes.stock import flat_bills
from training.data.dataset import Photo

CORNERS = ROOT / "docs" / "model" / "counter" / "corners.csv"


def as_jpeg(picture: Image.Image) -> bytes:
    return specimen.encode(picture, "JPEG", quality=90)


def test_every_answer_comes_with_what_the_counter_saw(stack: Stack) -> None:
    reply = stack.predict(as_jpeg(specimen.bill("20", width=960))).json()
    assert reply["count"] == {
        "available": True,
        "name": "us_bills_count",
        "version": 1,
        "label": "stable",
    }
    (prediction,) = reply["predictions"]
    assert isinstance(prediction["bills"], list)
    assert isinstance(prediction["total"], int | None)


def test_a_picture_of_no_bill_is_worth_nothing_and_that_is_sure(stack: Stack) -> None:
    (prediction,) = stack.predict(as_jpeg(specimen.other(width=500))).json()["predictions"]
    assert prediction["bills"] == []
    assert prediction["total"] == 0


def test_two_different_real_bills_never_get_one_sure_value(stack: Stack) -> None:
    real_photos()
    photos = [Photo(path, path.parent.name, "") for path in sorted(BILLS.glob("validation/*/*"))]
    bills = {bill.label: bill.pixels for bill in reversed(flat_bills(photos, CORNERS))}
    for one, other in itertools.combinations(sorted(bills), 2):
        scene = Image.new("RGB", (640, 640), "#776655")
        scene.paste(Image.fromarray(bills[one]).resize((500, 212)), (60, 60))
        scene.paste(Image.fromarray(bills[other]).resize((500, 212)), (80, 340))
        (prediction,) = stack.predict(as_jpeg(scene)).json()["predictions"]
        assert prediction["denomination"] is None, (one, other, prediction)
        assert prediction["total"] in (int(one) + int(other), None)
