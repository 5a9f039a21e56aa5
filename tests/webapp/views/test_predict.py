"""`POST /predict`: three ways to send photos, and their answers from the real model."""

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from serving.client import connect
from tests import specimen
from tests.support.servers import ModelServer
from webapp.imaging.preprocessing import open_upright, to_tensor

BILL = specimen.encode(specimen.bill("20", angle=9), "JPEG")
MUG = specimen.encode(specimen.other(), "PNG")


def send(client: FlaskClient, *photos: tuple[str, bytes], query: str = "") -> TestResponse:
    files = [(io.BytesIO(data), name) for name, data in photos]
    return client.post(f"/predict{query}", data={"image": files})


def test_one_photo_gives_one_answer(client: FlaskClient) -> None:
    reply = send(client, ("a.jpg", BILL))
    assert reply.status_code == 200
    assert reply.mimetype == "application/json"
    body: dict[str, Any] = reply.get_json()
    assert body["model"] == {"name": "us_bills", "version": 1, "label": "stable"}
    [answer] = body["predictions"]
    assert list(answer)[:4] == ["filename", "denomination", "accepted", "probabilities"]
    assert answer["filename"] == "a.jpg"


def test_probabilities_are_sorted_and_sum_to_one(client: FlaskClient) -> None:
    [answer] = send(client, ("a.jpg", BILL)).get_json()["predictions"]
    values = list(answer["probabilities"].values())
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-4)


def test_the_denomination_is_the_likeliest_class_or_null(client: FlaskClient) -> None:
    for answer in send(client, ("a.jpg", BILL), ("b.png", MUG)).get_json()["predictions"]:
        likeliest = next(iter(answer["probabilities"]))
        assert answer["denomination"] == (likeliest if answer["accepted"] else None)


def test_several_photos_are_answered_in_order(client: FlaskClient) -> None:
    together = send(client, ("a.jpg", BILL), ("b.png", MUG)).get_json()["predictions"]
    alone = [
        send(client, photo).get_json()["predictions"][0]
        for photo in (("a.jpg", BILL), ("b.png", MUG))
    ]
    assert [answer["filename"] for answer in together] == ["a.jpg", "b.png"]
    for one, other in zip(together, alone, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-3)


def test_sixteen_photos_are_accepted_and_seventeen_are_not(client: FlaskClient) -> None:
    small = specimen.encode(specimen.bill("20", width=160), "JPEG")
    photos = [(f"{n}.jpg", small) for n in range(17)]
    assert len(send(client, *photos[:16]).get_json()["predictions"]) == 16
    refused = send(client, *photos)
    assert refused.status_code == 413
    assert "16 pictures" in refused.get_json()["detail"]


@pytest.mark.parametrize("kind", ["image/jpeg", "image/heic", "application/octet-stream"])
def test_a_raw_body_is_a_photo(client: FlaskClient, kind: str) -> None:
    answer = client.post("/predict", data=BILL, content_type=kind).get_json()["predictions"][0]
    assert answer == send(client, ("a.jpg", BILL)).get_json()["predictions"][0] | {"filename": None}


def test_a_data_url_in_json_is_a_photo(client: FlaskClient) -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(BILL).decode()
    answer = client.post("/predict", json={"image": url}).get_json()["predictions"][0]
    assert answer == send(client, ("a.jpg", BILL)).get_json()["predictions"][0] | {"filename": None}


def test_a_data_url_may_be_larger_than_werkzeugs_limit_for_form_fields(
    client: FlaskClient,
) -> None:
    large = specimen.encode(specimen.bill("20", width=1600), "BMP")
    url = "data:image/bmp;base64," + base64.b64encode(large).decode()
    assert len(url) > 5_000_000
    assert client.post("/predict", json={"image": url}).status_code == 200


def test_a_version_can_be_asked_for(client: FlaskClient) -> None:
    reply = send(client, ("a.jpg", BILL), query="?version=1")
    assert reply.get_json()["model"] == {"name": "us_bills", "version": 1, "label": None}


def test_a_label_can_be_asked_for(client: FlaskClient) -> None:
    reply = send(client, ("a.jpg", BILL), query="?label=stable")
    assert reply.get_json()["model"] == {"name": "us_bills", "version": 1, "label": "stable"}


@pytest.mark.parametrize("query", ["?version=999", "?label=canary"])
def test_a_version_that_is_not_served_is_not_found(client: FlaskClient, query: str) -> None:
    reply = send(client, ("a.jpg", BILL), query=query)
    assert reply.status_code == 404
    assert query.strip("?").replace("=", " ") in reply.get_json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "?version=1&label=stable",
        "?version=newest",
        "?version=-1",
        "?version=",
        "?version=1.0",
        f"?version={2**63}",
        "?label=",
        "?explain=maybe",
    ],
)
def test_a_question_that_makes_no_sense_is_refused(client: FlaskClient, query: str) -> None:
    reply = send(client, ("a.jpg", BILL), query=query)
    assert reply.status_code == 400
    assert reply.mimetype == "application/problem+json"


def test_explain_adds_a_heatmap(client: FlaskClient) -> None:
    [answer] = send(client, ("a.jpg", BILL), query="?explain=1").get_json()["predictions"]
    [plain] = send(client, ("a.jpg", BILL)).get_json()["predictions"]
    heatmap = answer.pop("heatmap")
    assert answer["probabilities"] == pytest.approx(plain["probabilities"], abs=1e-3)
    assert len({len(row) for row in heatmap}) == 1
    assert all(0 <= value <= 1 for row in heatmap for value in row)


def test_rest_and_grpc_give_the_same_answer(
    client_for: Callable[..., FlaskClient], model_server: ModelServer
) -> None:
    client, over_rest = client_for(), client_for(model_server=model_server.rest_url)
    [grpc_answer] = send(client, ("a.jpg", BILL)).get_json()["predictions"]
    [rest_answer] = send(over_rest, ("a.jpg", BILL)).get_json()["predictions"]
    assert rest_answer["probabilities"] == pytest.approx(grpc_answer["probabilities"], abs=1e-3)


def test_the_answer_is_that_of_the_model_server(
    client: FlaskClient, model_server: ModelServer
) -> None:
    server = connect(model_server.grpc_url)
    outputs = server.predict("us_bills", {"image": to_tensor(open_upright(BILL))[None]}).outputs
    server.close()
    [answer] = send(client, ("a.jpg", BILL)).get_json()["predictions"]
    assert list(answer["probabilities"]) == [name.decode() for name in outputs["classes"][0]]
    assert list(answer["probabilities"].values()) == pytest.approx(
        outputs["probabilities"][0].tolist(), abs=1e-3
    )
