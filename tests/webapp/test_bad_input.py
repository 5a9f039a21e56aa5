"""Whatever is sent instead of a good photo gets the right status and a sentence; never a 500."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests import specimen

BILL = specimen.bill("20", width=320)
JPEG = specimen.encode(BILL, "JPEG")


def problem(reply: TestResponse) -> dict[str, Any]:
    assert reply.content_type == "application/problem+json"
    body: dict[str, Any] = reply.get_json()
    assert list(body) == ["type", "title", "status", "detail"]
    assert body["status"] == reply.status_code
    assert body["detail"].endswith(".")
    return body


def upload(client: FlaskClient, data: bytes, name: str = "photo.jpg") -> TestResponse:
    return client.post("/predict", data={"image": (io.BytesIO(data), name)})


BAD_FILES = {
    "an empty file": (b"", 400, "empty"),
    "text named .jpg": (b"Dear Sir, please find attached", 400, "not a picture"),
    "a truncated JPEG": (JPEG[: len(JPEG) // 2], 400, "damaged or incomplete"),
    "random bytes": (bytes(np.random.default_rng(0).bytes(5000)), 400, "not a picture"),
    "a PDF": (b"%PDF-1.7\n...", 415, "PDF"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "SVG"),
    "60 megapixels": (specimen.encode(Image.new("1", (10_000, 6_000)), "PNG"), 413, "50 mega"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_file_gets_a_status_and_a_sentence_that_names_it(
    client: FlaskClient, what: str
) -> None:
    data, status, sentence = BAD_FILES[what]
    body = problem(upload(client, data))
    assert body["status"] == status
    assert sentence in body["detail"]
    assert body["detail"].startswith("photo.jpg: ")


@pytest.mark.parametrize("what", BAD_FILES)
def test_the_same_bytes_as_a_raw_body_get_the_same_status(client: FlaskClient, what: str) -> None:
    data, status, _ = BAD_FILES[what]
    reply = client.post("/predict", data=data, content_type="image/jpeg")
    assert problem(reply)["status"] == (status if data else 422)


def unusual_but_good() -> dict[str, bytes]:
    grey = (np.asarray(BILL.convert("L")).astype(np.uint16)) * 257
    clear = BILL.convert("RGBA")
    clear.putalpha(128)
    other_formats = {f"a.{f.lower()}": specimen.encode(BILL, f) for f in ("WEBP", "AVIF", "TIFF")}
    return other_formats | {
        "cmyk.jpg": specimen.encode(BILL.convert("CMYK"), "JPEG"),
        "16 bit.png": specimen.encode(Image.fromarray(grey), "PNG"),
        "transparent.png": specimen.encode(clear, "PNG"),
        "animated.gif": specimen.encode(BILL, "GIF", save_all=True, append_images=[clear]),
        "one pixel.png": specimen.encode(Image.new("RGB", (1, 1)), "PNG"),
        "thin.png": specimen.encode(Image.new("L", (5000, 1)), "PNG"),
        "misnamed.pdf": JPEG,
        "phone.heic": Path(__file__).with_name("specimen.heic").read_bytes(),
    }


UNUSUAL = unusual_but_good()


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_photos_are_answered(client: FlaskClient, name: str) -> None:
    reply = upload(client, UNUSUAL[name], name)
    assert reply.status_code == 200
    assert reply.get_json()["predictions"][0]["filename"] == name


def test_one_bad_picture_refuses_the_request_and_is_named(client: FlaskClient) -> None:
    files = [(io.BytesIO(JPEG), "good.jpg"), (io.BytesIO(b"text"), "bad.jpg")]
    body = problem(client.post("/predict", data={"image": files}))
    assert body["status"] == 400
    assert "bad.jpg" in body["detail"]
    assert "good.jpg" not in body["detail"]


@pytest.mark.parametrize(
    "request_parts",
    [
        {},
        {"content_type": "image/jpeg"},
        {"data": {}, "content_type": "multipart/form-data"},
        {"data": {"picture": (io.BytesIO(JPEG), "a.jpg")}},
        {"data": {"image": "text, not a file"}, "content_type": "multipart/form-data"},
        {"data": {"image": (io.BytesIO(b""), "")}},
        {"json": {}},
        {"json": {"photo": "data:image/png;base64,AA=="}},
        {"json": []},
    ],
    ids=[
        "no body",
        "empty body",
        "empty form",
        "file in another field",
        "text in the field",
        "empty file",
        "empty JSON object",
        "other JSON key",
        "JSON list",
    ],
)
def test_nothing_sent_is_422(client: FlaskClient, request_parts: dict[str, Any]) -> None:
    assert problem(client.post("/predict", **request_parts))["status"] == 422


@pytest.mark.parametrize(
    "request_parts",
    [
        {"data": "{", "content_type": "application/json"},
        {"data": "[" * 100_000, "content_type": "application/json"},
        {"data": b'{"image": "\xff"}', "content_type": "application/json"},
        {"json": {"image": None}},
        {"json": {"image": "https://example.com/photo.jpg"}},
        {"json": {"image": "data:image/png;base64,%%%"}},
        {"json": {"image": "data:image/png;base64,AAA"}},
        {"json": {"image": "data:image/png;base64,ééé"}},
    ],
    ids=lambda parts: str(parts)[:40],
)
def test_malformed_json_is_400(client: FlaskClient, request_parts: dict[str, Any]) -> None:
    assert problem(client.post("/predict", **request_parts))["status"] == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_415(client: FlaskClient, kind: str) -> None:
    body = problem(client.post("/predict", data=JPEG, content_type=kind))
    assert body["status"] == 415
    assert "multipart/form-data" in body["detail"]


@pytest.mark.parametrize(
    "kind", ["image/jpeg", "application/json", "multipart/form-data; boundary=x"]
)
def test_thirty_megabytes_are_413(client: FlaskClient, kind: str) -> None:
    body = problem(client.post("/predict", data=bytes(30_000_000), content_type=kind))
    assert body["status"] == 413
    assert "20 MB" in body["detail"]


def test_an_unknown_page_is_a_problem_too(client: FlaskClient) -> None:
    assert problem(client.get("/nowhere"))["status"] == 404


def test_predict_by_get_says_which_methods_there_are(client: FlaskClient) -> None:
    reply = client.get("/predict")
    assert problem(reply)["status"] == 405
    assert "POST" in reply.headers["Allow"]


def test_a_form_post_gets_its_problem_as_a_page(client: FlaskClient) -> None:
    reply = client.post(
        "/predict",
        data={"image": (io.BytesIO(b"text"), "<script>.jpg")},
        headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
    )
    assert reply.status_code == 400
    assert reply.mimetype == "text/html"
    assert "&lt;script&gt;.jpg: The file is not a picture." in reply.text
