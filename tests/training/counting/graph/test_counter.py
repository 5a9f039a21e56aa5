"""Bills are found, cut out and read; the list is accepted only if every part of it is sure."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.training.counting.conftest import flat
from tests.training.counting.detector.test_targets import perfect_map, place, scene_of
from training.counting.detector.targets import turned
from training.counting.graph.counter import MOST_READ, Counter
from training.counting.graph.crops import cut_out
from training.counting.graph.trust import Trust
from training.counting.reader import vectors
from training.counting.scenes.places import Quad
from training.counting.scenes.scene import Scene

CLASSES = ["1", "20", "Other"]
# As sure as its least sure class, and less so the likelier a bill was missed.
_DOUBT = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0.2, 2, 0, 0]
TRUST = Trust(temperature=1.0, believed=0.3, weights=_DOUBT, threshold=0.8)


def painted(*bills: tuple[str, Quad]) -> tuple[np.ndarray, Scene]:
    """A picture whose bills are plain red (1), green (20) or blue (Other), and its scene."""
    import cv2

    pixels = np.zeros((448, 448, 3), np.uint8)
    for name, corners in bills:
        colour = [255 * (name == each) for each in CLASSES]
        cv2.fillConvexPoly(pixels, np.rint(corners * 448).astype(np.int32), colour)
    return pixels, scene_of(*(corners for _, corners in bills))


def by_colour(image: tf.Tensor) -> tf.Tensor:
    """Reads a cut-out by the colour that most of it has: logits, float32 [M,3]."""
    return tf.reduce_mean(tf.cast(image, tf.float32), [1, 2]) / 255 * 12


def answer(*bills: tuple[str, Quad], trust: Trust = TRUST) -> dict[str, np.ndarray]:
    pixels, scene = painted(*bills)
    counter = Counter(lambda image: perfect_map(scene), by_colour, CLASSES, trust)
    given = counter.serving_default(tf.constant(pixels[None]))
    return {name: value.numpy()[0] for name, value in given.items()}


LEFT, RIGHT = place(0.3, 0.3, 0.4, 0.2), place(0.6, 0.7, 0.5, 1.2)


def test_two_bills_are_named_and_boxed() -> None:
    given = answer(("1", LEFT), ("20", RIGHT))
    assert given["count"] == 2
    assert given["accepted"]
    assert sorted(given["classes"][:2].astype(str)) == ["1", "20"]
    first = [LEFT, RIGHT][given["classes"][0] == b"20"]
    assert given["boxes"][0] == pytest.approx(first, abs=2e-3)


def test_places_behind_the_last_bill_are_empty() -> None:
    given = answer(("1", LEFT))
    assert given["count"] == 1
    assert not given["classes"][1:].astype(bool).any()
    assert not given["scores"][1:].any()
    assert not given["boxes"][1:].any()


def test_what_is_no_money_is_not_counted() -> None:
    given = answer(("Other", LEFT), ("20", RIGHT))
    assert given["classes"][:2].tolist() == [b"20", b""]
    assert given["accepted"]


def test_a_picture_without_anything_has_no_bills_and_that_is_sure() -> None:
    given = answer()
    assert given["count"] == 0
    assert given["accepted"]


def test_one_doubtful_bill_makes_the_whole_list_doubtful() -> None:
    unread = ("neither", RIGHT)  # black: all classes are as likely
    given = answer(("1", LEFT), unread)
    assert given["count"] == 2
    assert not given["accepted"]
    assert given["scores"][0] > 0.9 > given["scores"][1]


def test_of_a_large_request_the_hottest_places_are_read_and_the_others_are_doubtful() -> None:
    bills = [("1", place(x, y, 0.18, 0.0)) for x in (0.15, 0.4, 0.65, 0.9) for y in (0.2, 0.5, 0.8)]
    pixels, scene = painted(*bills)
    read: list[int] = []

    def reader(image: tf.Tensor) -> tf.Tensor:
        read.append(len(image))
        return by_colour(image)

    counter = Counter(
        lambda image: tf.repeat(perfect_map(scene), len(image), 0), reader, CLASSES, TRUST
    )
    one, many = (counter.serving_default(tf.repeat(pixels[None], n, 0)) for n in (1, 8))
    assert read == [12, MOST_READ]
    assert one["accepted"].numpy().tolist() == [True]
    assert one["count"].numpy().tolist() == [12]
    assert many["count"].numpy().sum() == MOST_READ
    assert not many["accepted"].numpy()[many["count"].numpy() < 12].any()


def test_a_wrong_shape_is_refused_with_the_right_one() -> None:
    counter = Counter(lambda image: perfect_map(scene_of()), by_colour, CLASSES, TRUST)
    function = tf.function(
        counter.serving_default,
        input_signature=[tf.TensorSpec((None, 448, 448, 3), tf.uint8, name="image")],
    )
    for batch in (0, 17):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[N, 448, 448, 3\].*1 to 16"):
            function(tf.zeros([batch, 448, 448, 3], tf.uint8))


def test_a_cut_out_is_the_bill_however_it_lies(tmp_path: Path) -> None:
    import cv2

    bill, corners = flat("20"), place(0.5, 0.5, 0.8, 2.4)
    whole = np.array([[0, 0], [400, 0], [400, 170], [0, 170]], np.float32)
    matrix = cv2.getPerspectiveTransform(whole, corners * 448)
    picture = cv2.warpPerspective(bill, matrix, (448, 448))
    (cut,) = cut_out(tf.constant(picture[None]), tf.constant([0]), *vectors([turned(corners)]))
    wanted = cv2.resize(bill, (224, 224))
    assert np.corrcoef(cut.numpy().ravel(), wanted.ravel())[0, 1] > 0.85
