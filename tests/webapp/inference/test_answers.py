"""The model's outputs become the API's answers, or are refused because they break the contract."""

import numpy as np
import pytest
from flask.testing import FlaskClient

from serving.client import BadReply
from webapp.inference.answers import read_answers
from webapp.inference.classifier import ClassifiedPhotos
from webapp.views.pages import answer_page


def outputs() -> dict[str, np.ndarray]:
    return {
        "classes": np.array([[b"20", b"Other"], [b"Other", b"20"]], dtype=object),
        "probabilities": np.array([[0.9, 0.1], [0.55, 0.45]], dtype=np.float32),
        "accepted": np.array([True, False]),
    }


def test_an_accepted_answer_names_its_top_class() -> None:
    assert read_answers(outputs(), ["a.jpg", None])[0] == {
        "filename": "a.jpg",
        "denomination": "20",
        "accepted": True,
        "probabilities": {"20": 0.9, "Other": 0.1},
    }


def test_an_answer_that_is_not_accepted_names_nothing() -> None:
    answer = read_answers(outputs(), ["a.jpg", None])[1]
    assert answer["denomination"] is None
    assert list(answer["probabilities"]) == ["Other", "20"]


def test_a_heatmap_is_passed_on_as_rows() -> None:
    explained = outputs() | {"heatmap": np.full((2, 3, 4), 0.25, np.float32)}
    assert read_answers(explained, [None, None])[0]["heatmap"] == [[0.25] * 4] * 3


def test_a_share_that_rounding_lifted_above_1_is_1() -> None:
    lifted = np.array([[1.0005, 0.0], [0.5, 0.5]], np.float32)
    heatmap = np.full((2, 1, 1), 1.0005, np.float32)
    answer = read_answers(outputs() | {"probabilities": lifted, "heatmap": heatmap}, [None] * 2)[0]
    assert (answer["probabilities"]["20"], answer["heatmap"]) == (1.0, [[1.0]])


def test_a_class_that_nobody_here_has_heard_of_comes_through(client: FlaskClient) -> None:
    """Names travel with the model: the $2 bill of a later version needs no change to any client."""
    names = [b"2", b"1", b"5", b"10", b"20", b"50", b"100", b"Other"]
    eight = {
        "classes": np.array([names], dtype=object),
        "probabilities": np.array([[0.93] + [0.01] * 7], dtype=np.float32),
        "accepted": np.array([True]),
    }
    answers = read_answers(eight, ["two.jpg"])
    assert answers[0]["denomination"] == "2"
    assert len(answers[0]["probabilities"]) == 8
    reply = ClassifiedPhotos({"name": "us_bills", "version": 2, "label": "canary"}, answers)
    with client.application.test_request_context():
        assert "2 dollars" in answer_page(reply)


@pytest.mark.parametrize("missing", ["classes", "probabilities", "accepted"])
def test_a_missing_output_is_a_bad_reply(missing: str) -> None:
    incomplete = {name: array for name, array in outputs().items() if name != missing}
    with pytest.raises(BadReply, match=missing):
        read_answers(incomplete, [None, None])


def test_answers_for_another_number_of_pictures_are_a_bad_reply() -> None:
    with pytest.raises(BadReply, match="2 answers for 3 pictures"):
        read_answers(outputs(), [None] * 3)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("probabilities", np.full((2, 2), np.nan, np.float32)),
        ("probabilities", np.full((2, 2), -3.5, np.float32)),
        ("probabilities", np.full((2, 2), 1.5, np.float32)),
        ("probabilities", np.full((2, 2), b"0.5", object)),
        ("probabilities", np.full((2, 2), True)),
        ("accepted", np.full(2, np.nan)),
        ("accepted", np.full(2, b"false", object)),
        ("accepted", np.full(2, 1)),
        ("heatmap", np.full((2, 7, 7), np.nan, np.float32)),
        ("heatmap", np.full((2, 7, 7), 7.0, np.float32)),
        ("heatmap", np.full((2, 7, 7), b"0.5", object)),
        ("heatmap", np.zeros(2, np.float32)),
        ("heatmap", np.zeros((2, 7), np.float32)),
        ("heatmap", np.zeros((3, 7, 7), np.float32)),
        ("heatmap", np.zeros((2, 7, 7, 1), np.float32)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.shape} {value.flat[0]}",
)
def test_values_that_no_answer_may_have_are_a_bad_reply(name: str, values: np.ndarray) -> None:
    with pytest.raises(BadReply, match="expected"):
        read_answers(outputs() | {name: values}, [None, None])


def test_an_explained_answer_without_a_heatmap_is_a_bad_reply() -> None:
    with pytest.raises(BadReply, match="heatmap"):
        read_answers(outputs(), [None, None], explained=True)
