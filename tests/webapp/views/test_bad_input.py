"""Any input other than a good photo gets the right status and an explanation; never a 500."""

import io
from pathlib import Path
from typing import Any
from unittest.mock import ANY

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
        "thin.png": specimen.encode(Image.new("L", (5000, 100)), "PNG"),
        "misnamed.pdf": JPEG,
        "phone.heic": (Path(__file__).parents[1] / "specimen.heic").read_bytes(),
    }


UNUSUAL = unusual_but_good()


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_photos_are_answered(client: FlaskClient, name: str) -> None:
    reply = upload(client, UNUSUAL[name], name)
    assert reply.status_code == 200
    assert reply.get_json()["predictions"][0]["filename"] == name


def send_both(client: FlaskClient, **headers: str) -> TestResponse:
    files = [(io.BytesIO(b"text"), "bad.jpg"), (io.BytesIO(JPEG), "good.jpg")]
    return client.post("/predict", data={"image": files}, headers=headers)


def test_one_bad_picture_does_not_lose_the_answers_of_the_others(client: FlaskClient) -> None:
    reply = send_both(client)
    assert reply.status_code == 200
    bad, good = reply.get_json()["predictions"]
    error = bad.pop("error")
    assert bad == {"filename": "bad.jpg", "denomination": None, "accepted": False}
    assert (error["status"], error["title"]) == (400, "Bad Request")
    assert "not a picture" in error["detail"]
    assert good["filename"] == "good.jpg"
    assert (
        good["probabilities"] == upload(client, JPEG).get_json()["predictions"][0]["probabilities"]
    )
    metrics = client.get("/metrics").text
    assert 'us_bills_rejections_total{reason="NotAnImage"} 1.0' in metrics


def test_the_page_shows_the_bad_picture_beside_the_answers_of_the_others(
    client: FlaskClient,
) -> None:
    reply = send_both(client, Accept="text/html")
    assert reply.status_code == 200
    assert reply.text.count('<article class="card">') == 2
    assert "<bdi>bad.jpg</bdi>" in reply.text
    assert "<p>The file is not a picture." in reply.text
    assert reply.text.count("<h3>How likely</h3>") == 1


def test_where_all_pictures_are_bad_the_request_is_refused_and_the_first_is_named(
    client: FlaskClient,
) -> None:
    files = [(io.BytesIO(b"text"), "first.jpg"), (io.BytesIO(b"%PDF"), "second.pdf")]
    body = problem(client.post("/predict", data={"image": files}))
    assert body["status"] == 400
    assert body["detail"].startswith("first.jpg: ")


def form(disposition: bytes, data: bytes = JPEG, end: bytes = b"\r\n--x--\r\n") -> bytes:
    head = b"--x\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n"
    return head + data + end


FORM = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'name="image"; filename="d\xf3lar.jpg"', "d\N{REPLACEMENT CHARACTER}lar.jpg"),
        (b'name="image"; filename="\x83h\x83\x8b.jpg"', ANY),
        ('name="image"; filename="dólar.jpg"'.encode(), "dólar.jpg"),
        (b'name="image"; filename="a\x07b\x1b[31m.jpg"', "ab[31m.jpg"),
        (b'name="image"', None),
        (b'name="image"; filename=""', None),
    ],
    ids=["latin-1", "Shift-JIS", "UTF-8", "control characters", "no name", "empty name"],
)
def test_a_picture_is_taken_whatever_its_name(
    client: FlaskClient, disposition: bytes, name: str | None
) -> None:
    reply = client.post("/predict", data=form(disposition), content_type=FORM)
    assert reply.status_code == 200
    assert reply.get_json()["predictions"][0]["filename"] == name


IMAGE = b'name="image"; filename="a.jpg"'
OTHER = b"--x\r\nContent-Disposition: form-data; name=note\r\n\r\n1\r\n"
BAD_FORMS = {
    "no boundary": (form(IMAGE), "multipart/form-data", 400, "names no boundary"),
    "another boundary": (form(IMAGE), "multipart/form-data; boundary=y", 400, "does not begin"),
    "cut": (form(IMAGE, end=b""), FORM, 400, "incomplete"),
    "cut in a header": (b"--x\r\nContent-Dispo", FORM, 400, "incomplete"),
    "no disposition": (b"--x\r\nA: b\r\n\r\n1\r\n--x--", FORM, 400, "malformed"),
    "too many parts": (1001 * OTHER + form(IMAGE), FORM, 413, "too many parts"),
    "a long header": (form(IMAGE + b"; a=b" * 4000), FORM, 413, "8,000 bytes"),
    "many headers": (b"--x\r\n" + b"A: b\r\n" * 9000 + form(IMAGE), FORM, 413, "8,000 bytes"),
    "headers without an end": (b"--x\r\n" + b"A" * 900_000, FORM, 413, "8,000 bytes"),
    "a long preamble": (bytes(900_000) + form(IMAGE), FORM, 400, "does not begin"),
}


@pytest.mark.parametrize("what", BAD_FORMS)
def test_a_form_that_cannot_be_taken_is_told_why(client: FlaskClient, what: str) -> None:
    data, kind, status, sentence = BAD_FORMS[what]
    body = problem(client.post("/predict", data=data, content_type=kind))
    assert body["status"] == status
    assert sentence in body["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP, identity"])
def test_a_body_in_another_encoding_is_415_that_names_it(
    client: FlaskClient, encoding: str
) -> None:
    headers = {"Content-Encoding": encoding}
    reply = client.post("/predict", data=b"...", content_type="image/jpeg", headers=headers)
    assert problem(reply)["status"] == 415
    assert encoding.lower() in problem(reply)["detail"]


def test_a_body_that_is_encoded_as_it_is_is_taken(client: FlaskClient) -> None:
    headers = {"Content-Encoding": "identity"}
    reply = client.post("/predict", data=JPEG, content_type="image/jpeg", headers=headers)
    assert reply.status_code == 200


def test_a_name_that_turns_the_direction_of_text_turns_only_itself(client: FlaskClient) -> None:
    name = "a\N{RIGHT-TO-LEFT OVERRIDE}b.jpg"
    for data in (JPEG, b"text"):
        reply = client.post(
            "/predict",
            data={"image": (io.BytesIO(data), name)},
            headers={"Accept": "text/html"},
        )
        assert f"<bdi>{name}</bdi>" in reply.text


@pytest.mark.parametrize("path", ["/static//page.css", "//evil.example", "//predict"])
def test_an_address_with_two_slashes_leads_nowhere(client: FlaskClient, path: str) -> None:
    # The test client itself would take what follows two slashes for a host.
    sent = {"PATH_INFO": path, "REQUEST_URI": path, "RAW_URI": path}
    reply = client.get("/", headers={"Host": "evil.example"}, environ_overrides=sent)
    assert problem(reply)["status"] in (404, 405)
    assert "Location" not in reply.headers


@pytest.mark.parametrize(
    "request_parts",
    [
        {},
        {"content_type": "image/jpeg"},
        {"data": {}, "content_type": "multipart/form-data"},
        {"data": {"picture": (io.BytesIO(JPEG), "a.jpg")}},
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
        {"data": "{}," * 1_000_000, "content_type": "application/json"},
        {"json": {"image": "data:image/jpeg;base64,\U0001f4b5" + "A" * 100}},
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
    assert "<bdi>&lt;script&gt;.jpg</bdi>: The file is not a picture." in reply.text
