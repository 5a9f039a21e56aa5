"""Photos that do not suffice are refused with what to do."""

from pathlib import Path

import pytest

from tests.training.conftest import save_bills
from training.data import checks, dataset
from training.data.dataset import Photo


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"20": 3}, r"1 class only: \['20'\]"),
        ({"20": 3, "Other": 1}, r"Too few photos: \{'Other': 1\}"),
    ],
)
def test_photos_that_cannot_be_learnt_from_are_refused_with_what_to_do(
    tmp_path: Path, classes: dict[str, int], message: str
) -> None:
    for label, number in classes.items():
        save_bills(tmp_path, label, *(f"a-{n}.jpg" for n in range(number)))
    with pytest.raises(ValueError, match=message) as refusal:
        checks.require_enough(dataset.scan(tmp_path, {}, []))
    assert "Expected" in str(refusal.value)


def test_a_class_of_which_nothing_can_be_read_is_refused(folder: Path) -> None:
    for name in ("a-1.jpg", "a-2.jpg"):
        save_bills(folder, "50", name)
        (folder / "50" / name).write_text("no picture")
    photos = dataset.scan(folder, {}, [])
    with pytest.raises(ValueError, match="Of 50 no picture"):
        checks.require_every_class(dataset.classes_of(photos), dataset.load(photos)[0])


def test_photos_of_classes_that_a_version_does_not_know_are_refused_by_name() -> None:
    photos = [Photo(Path(f"{label}/a-1.jpg"), label, "a") for label in ("5", "2", "3")]
    checks.require_known(photos[:1], ["5", "Other"], "models/things/1")
    with pytest.raises(
        ValueError, match=r"models/things/1 knows 5, Other\. Received photos of 2, 3"
    ):
        checks.require_known(photos, ["5", "Other"], "models/things/1")
