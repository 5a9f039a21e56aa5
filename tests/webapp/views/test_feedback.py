"""`POST /feedback`: stored with consent, bounded, without metadata, and deleted by its sender."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests import specimen
from tests.webapp.views.test_html import FORM, Tags
from webapp.views.translations import ENGLISH, SPANISH

BILL = specimen.encode(specimen.bill("20", angle=9), "JPEG")
AGREED = {"was": "50", "answered": "20", "consent": "yes"}

Client = Callable[..., FlaskClient]


@pytest.fixture
def client(client_for: Client, tmp_path: Path) -> FlaskClient:
    return client_for(feedback=str(tmp_path))


def give(client: FlaskClient, photo: Any = BILL, query: str = "", **texts: str) -> TestResponse:
    name = None if isinstance(photo, str) else "IMG_20261129_jane.jpg"
    parts: dict[str, Any] = {"image": (name, photo)}
    parts |= {text: (None, value) for text, value in texts.items()}
    # Werkzeug's test client writes larger files to the disk, and does not close them.
    form = requests.Request("POST", "http://x", files=parts).prepare()
    return client.post(f"/feedback{query}", data=form.body, headers=dict(form.headers))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_photo_lies_in_the_folder_of_its_class_with_a_line_of_json(
    client: FlaskClient, tmp_path: Path
) -> None:
    reply = give(client, **AGREED)
    assert reply.status_code == 201
    name = reply.get_json()["id"]
    assert reply.headers["Location"] == f"/feedback/{name}"
    assert files(tmp_path) == [
        f"records/{name}.json",
        f"unchecked/50/feedback-{name}.jpg",
        "unchecked/UNCHECKED.txt",
    ]
    line = (tmp_path / "records" / f"{name}.json").read_text()
    assert line.count("\n") == 1
    record = json.loads(line)
    assert (record["was"], record["answered"], record["version"]) == ("50", "20", 1)
    assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert record.keys() == {
        *("id", "time", "days", "was", "answered", "version", "probabilities"),
    }


def with_metadata(kind: str) -> bytes:
    """A picture that lies on its side and tells where, when, with what and by whom."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees
    exif[0x010F] = "SECRET maker"
    exif[0x9C9D] = "SECRET author".encode("utf-16-le")
    exif.get_ifd(0x8825)[1] = "SECRET place"
    file = io.BytesIO()
    extra = {"comment": b"SECRET words"} if kind in ("JPEG", "GIF") else {}
    picture = specimen.bill("20", width=1200).convert("P" if kind == "GIF" else "RGB")
    picture.save(file, kind, exif=exif, **extra)
    assert b"SECRET" in file.getvalue()
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_it_is_kept_upright_small_and_without_metadata(
    client: FlaskClient, tmp_path: Path, kind: str
) -> None:
    assert give(client, with_metadata(kind), **AGREED).status_code == 201
    [photo] = tmp_path.glob("unchecked/50/*.jpg")
    assert b"SECRET" not in photo.read_bytes()
    with Image.open(photo) as kept:
        assert kept.format == "JPEG"
        assert not kept.getexif()
        assert set(kept.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert max(kept.size) == 480
        # A GIF says nothing about its orientation.
        assert (kept.height > kept.width) == (kind != "GIF")


def test_nothing_tells_who_sent_it(client: FlaskClient, tmp_path: Path) -> None:
    reply = give(client, **AGREED)
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for told in (b"jane", b"127.0.0.1", b"IMG_", b"werkzeug", b"Werkzeug"):
        assert told not in everything
    assert "jane" not in reply.text


ELSEWHERE = {"HTTP_ORIGIN": "https://elsewhere.example", "HTTP_SEC_FETCH_SITE": "cross-site"}


@pytest.mark.parametrize(
    "sent",
    [
        ELSEWHERE,
        # To an address without https browsers send no more than the origin.
        {"HTTP_ORIGIN": "https://elsewhere.example"},
        {"HTTP_ORIGIN": "null"},
        # Another port of this machine.
        {"HTTP_ORIGIN": "http://localhost:3000", "HTTP_SEC_FETCH_SITE": "same-site"},
    ],
)
def test_the_page_of_another_site_cannot_agree_for_a_person(
    client: FlaskClient, tmp_path: Path, sent: dict[str, str]
) -> None:
    client.environ_base |= sent
    reply = give(client, **AGREED)
    assert reply.status_code == 403
    assert "another site" in reply.get_json()["detail"]
    assert not files(tmp_path)


@pytest.mark.parametrize(
    "sent",
    [
        {"HTTP_ORIGIN": "http://localhost"},
        {"HTTP_ORIGIN": "https://bills.example", "HTTP_SEC_FETCH_SITE": "same-origin"},
        {"HTTP_SEC_FETCH_SITE": "none"},
        {},
    ],
)
def test_its_own_page_and_programs_may_send_photos(
    client: FlaskClient, tmp_path: Path, sent: dict[str, str]
) -> None:
    client.environ_base |= sent
    assert give(client, **AGREED).status_code == 201


@pytest.mark.parametrize("origins", ["https://elsewhere.example", "*"])
def test_a_site_that_the_operator_lets_in_may_send_photos(
    client_for: Client, tmp_path: Path, origins: str
) -> None:
    client = client_for(feedback=str(tmp_path), cors_origins=origins)
    client.environ_base |= ELSEWHERE
    assert give(client, **AGREED).status_code == 201


@pytest.mark.parametrize("consent", [{}, {"consent": ""}, {"consent": "no"}])
def test_without_consent_nothing_is_kept(
    client: FlaskClient, tmp_path: Path, consent: dict[str, str]
) -> None:
    texts = {name: AGREED[name] for name in ("was", "answered")}
    reply = give(client, **texts, **consent)
    assert reply.status_code == 403
    assert "consent" in reply.get_json()["detail"]
    assert files(tmp_path) == []


def test_unless_it_is_switched_on_there_is_no_feedback(client_for: Client) -> None:
    client = client_for()
    assert give(client, **AGREED).status_code == 404
    assert client.get(f"/feedback/{'a' * 32}").status_code == 404
    assert client.delete(f"/feedback/{'a' * 32}").status_code == 404
    page = client.post("/predict", data={"image": (io.BytesIO(BILL), "a.jpg")}, headers=FORM).text
    assert ENGLISH["feedback"]["wrong"] not in page
    assert ENGLISH["feedback"]["not_kept"] not in page


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ({"was": "3"}, "was"),
        ({"was": ""}, "was"),
        ({"was": "../50"}, "was"),
        ({"answered": "3"}, "answered"),
        ({"answered": "unlisted"}, "answered"),
    ],
)
def test_a_class_that_the_model_does_not_know_is_named_and_nothing_is_kept(
    client: FlaskClient, tmp_path: Path, texts: dict[str, str], named: str
) -> None:
    reply = give(client, **(AGREED | texts))
    assert reply.status_code == 422
    assert f"`{named}`" in reply.get_json()["detail"]
    assert files(tmp_path) == []


def test_a_bill_that_the_model_does_not_know_can_be_sent_in(
    client: FlaskClient, tmp_path: Path
) -> None:
    assert give(client, **(AGREED | {"was": "unlisted"})).status_code == 201
    assert list(tmp_path.glob("unchecked/unlisted/*.jpg"))


def test_unless_it_is_told_the_answer_is_that_of_the_version_asked(client: FlaskClient) -> None:
    answer = client.post("/predict", data=BILL, content_type="image/jpeg").get_json()
    given = give(client, query="?version=1", was="50", consent="yes").get_json()
    assert given["answered"] == answer["predictions"][0]["denomination"]
    assert given["version"] == 1


@pytest.mark.parametrize(
    ("photo", "status"), [(b"text", 415), (BILL[:300], 400), ("data:image/jpeg;base64,!", 400)]
)
def test_what_is_no_picture_is_refused_as_everywhere(
    client: FlaskClient, tmp_path: Path, photo: bytes | str, status: int
) -> None:
    reply = give(client, photo, **AGREED)
    assert reply.status_code in (400, status)
    assert files(tmp_path) == []


def test_only_a_form_with_one_photo_is_taken(client: FlaskClient) -> None:
    assert client.post("/feedback", data=BILL, content_type="image/jpeg").status_code == 415
    two = {"image": [(io.BytesIO(BILL), "a.jpg"), (io.BytesIO(BILL), "b.jpg")], **AGREED}
    assert client.post("/feedback", data=two).status_code == 422
    assert client.post("/feedback", data=AGREED | {"image": ""}).status_code in (415, 422)


def test_texts_and_data_urls_are_bounded(client: FlaskClient) -> None:
    assert give(client, **(AGREED | {"was": "5" * 2000})).status_code == 413
    assert give(client, "data:image/jpeg;base64," + "A" * 1_000_000, **AGREED).status_code == 413


def test_a_client_may_send_so_many_an_hour(client_for: Client, tmp_path: Path) -> None:
    client = client_for(feedback=str(tmp_path), feedback_rate=2)
    statuses = [give(client, **AGREED).status_code for _ in range(3)]
    assert statuses == [201, 201, 429]
    assert 0 < int(give(client, **AGREED).headers["Retry-After"]) <= 3600
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    data = {"image": (io.BytesIO(BILL), "a.jpg"), **AGREED}
    assert client.post("/feedback", data=data, environ_base=elsewhere).status_code == 201


def test_what_is_not_kept_uses_up_nothing_of_it(client_for: Client, tmp_path: Path) -> None:
    client = client_for(feedback=str(tmp_path), feedback_rate=1)
    tries = [AGREED | {"consent": "no"}, AGREED | {"was": "3"}, AGREED, AGREED]
    assert [give(client, **texts).status_code for texts in tries] == [403, 422, 201, 429]


def test_beyond_its_bytes_nothing_is_added_and_nothing_is_lost(
    client_for: Client, tmp_path: Path
) -> None:
    client = client_for(feedback=str(tmp_path), feedback_bytes=60_000)
    statuses = [give(client, **AGREED).status_code for _ in range(8)]
    assert statuses == sorted(statuses)
    assert set(statuses) == {201, 507}
    assert len(list(tmp_path.glob("unchecked/50/*.jpg"))) == statuses.count(201)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 60_000


def test_a_folder_that_cannot_be_written_is_told_in_words(
    client_for: Client, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    reply = give(client_for(feedback=str(tmp_path / "file")), **AGREED)
    assert reply.status_code == 507
    assert "not kept" in reply.get_json()["detail"]


def test_its_id_shows_and_deletes_it(client: FlaskClient, tmp_path: Path) -> None:
    given = give(client, **AGREED).get_json()
    address = f"/feedback/{given['id']}"
    assert client.get(address).get_json() == given
    assert client.delete(address).status_code == 204
    assert files(tmp_path) == ["unchecked/UNCHECKED.txt"]
    assert client.get(address).status_code == client.delete(address).status_code == 404


@pytest.mark.parametrize("name", ["..", "%2e%2e%2frecords", "*", "a" * 32, "A" * 32, "a" * 5000])
def test_an_id_that_is_none_finds_nothing(client: FlaskClient, name: str) -> None:
    assert client.get(f"/feedback/{name}").status_code == 404
    assert client.delete(f"/feedback/{name}").status_code == 404


def test_it_is_counted_by_what_it_was_and_what_was_answered(client: FlaskClient) -> None:
    give(client, **AGREED)
    give(client, **(AGREED | {"answered": ""}))
    page = client.get("/metrics").text
    for answered in ("20", "unsure"):
        labels = f'answered="{answered}",version="1",was="50"'
        assert f"us_bills_feedback_total{{{labels}}} 1.0" in page
    # Asking the model again is no answer to anybody.
    assert "us_bills_answers_total{" not in page


@pytest.mark.parametrize(("lang", "phrases"), [("en", ENGLISH), ("es", SPANISH)])
def test_without_a_script_the_page_sends_it_and_deletes_it(
    client: FlaskClient, tmp_path: Path, lang: str, phrases: dict[str, Any]
) -> None:
    photo = {"image": (io.BytesIO(BILL), "a.jpg")}
    answered = client.post(f"/predict?lang={lang}", data=photo, headers=FORM)
    assert phrases["feedback"]["consent"].format(days=90) in answered.text
    page = Tags(answered.text)
    # Asked for each time: never checked beforehand.
    [consent] = [a for a in page.of("input") if a.get("name") == "consent"]
    assert "checked" not in consent
    assert "required" in consent
    [action] = [str(a["action"]) for a in page.of("form") if "/feedback" in str(a["action"])]
    hidden = {str(a["name"]): str(a["value"]) for a in page.of("input") if a["type"] == "hidden"}
    assert {"50", "unlisted"} <= {str(a["value"]) for a in page.of("option")}
    texts = hidden | {"was": "50", "consent": "yes"}
    multipart = "multipart/form-data"
    kept = client.post(action, data=texts, headers=FORM, content_type=multipart)
    assert kept.status_code == 201
    assert phrases["feedback"]["thanks"] in kept.text
    [photo_kept] = tmp_path.glob("unchecked/50/*.jpg")
    # What was seen beside the answer is what is kept, but for one more encoding.
    seen = Image.open(io.BytesIO(base64.b64decode(hidden["image"].partition(",")[2])))
    with Image.open(photo_kept) as stored:
        assert stored.size == seen.size
    [delete] = [str(a["action"]) for a in Tags(kept.text).of("form") if "delete" in str(a)]
    deleted = client.post(delete, headers=FORM)
    assert phrases["feedback"]["deleted"] in deleted.text
    assert not list(tmp_path.glob("*/*/*.jpg"))
    assert client.post(delete, headers=FORM).status_code == 404


def test_the_page_says_what_it_keeps(client: FlaskClient) -> None:
    assert ENGLISH["feedback"]["not_kept"] in client.get("/").text
