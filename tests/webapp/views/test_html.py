"""The page without a browser: a plain form, nothing from other origins, nothing stored."""

import io
import os
import re
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from tests import specimen
from tests.support.servers import ROOT
from webapp.views.translations import ENGLISH, LANGUAGES, SPANISH

FORM = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
SAMPLES = ROOT / "webapp" / "static" / "samples"
BILL = specimen.encode(specimen.bill("20"), "JPEG")


class Tags(HTMLParser):
    """Collects every start tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, kind: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == kind]


def fetch(client: FlaskClient, url: str) -> bytes:
    with client.get(url) as reply:
        return bytes(reply.data)


def addresses(page: Tags) -> list[str]:
    """All files of the page, its scripts' modules, its worker and its sample pictures included."""
    found = {
        str(a.get("src") or a.get("href")) for _, a in page.found if {"src", "href"} & a.keys()
    }
    names = ("adder", "camera", "feedback", "send", "stage", "tell")
    modules = {f"/static/{name}.js" for name in names}
    return sorted(found | modules | {"/worker.js"})


@pytest.fixture
def page(client: FlaskClient) -> Tags:
    return Tags(client.get("/").text)


def test_the_form_works_without_a_script(page: Tags) -> None:
    [form] = page.of("form")
    assert form == {
        "action": "/predict?explain=1&lang=en",
        "method": "post",
        "enctype": "multipart/form-data",
        "data-max": "20000000",
    }
    camera, picker = (each for each in page.of("input") if each["type"] == "file")
    assert camera["name"] == picker["name"] == "image"
    assert camera["capture"] == "environment"
    assert [each for each in page.of("button") if each.get("type") == "submit"]


def test_posting_the_form_gives_a_page_with_the_answer_of_the_api(client: FlaskClient) -> None:
    photo = {"image": [(io.BytesIO(b""), ""), (io.BytesIO(BILL), "a.jpg")]}
    html = client.post("/predict", data=photo, headers=FORM)
    api = client.post("/predict", data=BILL, content_type="image/jpeg").get_json()["predictions"][0]
    assert html.mimetype == "text/html"
    headline = re.search(r'<p class="headline" aria-hidden="true">(.*?)</p>', html.text)
    assert headline
    assert headline[1] == phrase(api)


def test_posting_several_photos_gives_each_its_value_in_turn(client: FlaskClient) -> None:
    five = (SAMPLES / "five.webp").read_bytes()
    photos = {"image": [(io.BytesIO(data), "a.jpg") for data in (five, BILL, five)]}
    page = Tags(client.post("/predict?lang=en", data=photos, headers=FORM).text)
    [region] = [tag for _, tag in page.found if tag.get("role") == "status"]
    assert region["data-state"] == "several"
    first, _, last = str(region["data-denomination"]).split(",")
    assert first == last == "5"


def phrase(answer: dict[str, Any]) -> str:
    if not answer["accepted"]:
        return "Not sure"
    name = answer["denomination"]
    return f"${name}" if name.isdecimal() else "Not a US bill"


def test_there_is_one_polite_live_region(page: Tags) -> None:
    live = [attributes for _, attributes in page.found if "role" in attributes]
    assert [(region["role"], region["aria-atomic"]) for region in live] == [("status", "true")]


def test_it_says_what_it_does_not_do(client: FlaskClient) -> None:
    text = client.get("/").text
    assert "does not detect counterfeits" in text
    assert "photos are not kept" in text


def test_nothing_comes_from_elsewhere(client: FlaskClient, page: Tags) -> None:
    own = addresses(page)
    assert own
    assert all(url.startswith("/") for url in own)
    for url in own:
        # Pictures hold any bytes.
        if url.endswith((".webp", ".png")):
            continue
        text = fetch(client, url).decode().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text


def test_the_page_is_small(client: FlaskClient, page: Tags) -> None:
    assert sum(len(fetch(client, url)) for url in addresses(page)) < 70_000


def test_the_worker_keeps_what_the_page_without_its_server_needs(
    client: FlaskClient, page: Tags
) -> None:
    worker = fetch(client, "/worker.js").decode()
    needed = {url for url in addresses(page) if url.startswith("/static/")}
    # Only a page that is put on a home screen shows the last one.
    for url in needed - {"/static/icon-192.png"}:
        assert f'"{url.removeprefix("/static/")}"' in worker
    assert "necesita su servidor" in client.get("/offline?lang=es").text


def test_the_worker_is_renewed_when_the_page_changes(client: FlaskClient, page: Tags) -> None:
    [address] = [a["data-worker"] for a in page.of("a") if "data-worker" in a]
    assert address
    assert re.fullmatch(r"/worker\.js\?v=[0-9a-f]{12}&lang=en", address)
    with client.get(address) as reply:
        assert reply.mimetype == "text/javascript"


@pytest.mark.parametrize("lang", ["en", "es"])
def test_the_page_speaks_the_language_that_was_asked_for(client: FlaskClient, lang: str) -> None:
    title = LANGUAGES[lang]["title"]
    assert title in client.get(f"/?lang={lang}").text
    assert title in client.get("/", headers={"Accept-Language": lang}).text
    assert f'<html lang="{lang}">' in client.get(f"/?lang={lang}").text


@pytest.mark.parametrize(
    ("accepted", "lang"),
    [
        ("en-US,es;q=0.5", "en"),
        ("es-MX,en;q=0.5", "es"),
        ("fr,es-419;q=0.5,en;q=0.4", "es"),
        ("es;q=0", "en"),
        ("fr", "en"),
        ("", "en"),
    ],
)
def test_the_language_that_the_browser_prefers_may_name_a_country(
    client: FlaskClient, accepted: str, lang: str
) -> None:
    page = client.get("/", headers={"Accept-Language": accepted}).text
    assert f'<html lang="{lang}">' in page


def test_both_languages_say_the_same_things() -> None:
    for english, spanish in ((ENGLISH, SPANISH), (ENGLISH["feedback"], SPANISH["feedback"])):
        assert english.keys() == spanish.keys()
        # A template finds the methods of a dictionary before what is in it.
        assert not [name for name in english if hasattr(dict, name)]
        for name, phrase in english.items():
            if isinstance(phrase, str):
                assert re.findall(r"{\w+}", phrase) == re.findall(r"{\w+}", spanish[name])


def test_a_problem_is_told_in_spanish_too(client: FlaskClient) -> None:
    photo = {"image": (io.BytesIO(b"text"), "a.jpg")}
    reply = client.post("/predict?lang=es", data=photo, headers=FORM)
    assert f"<bdi>a.jpg</bdi>: {SPANISH['problems'][400]}" in reply.text


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, "la petición no es válida"),
        (403, "la página de otro sitio"),
        (413, "la petición"),
        (429, "usted ya envió"),
        (503, "está ocupado"),
    ],
)
def test_a_spanish_sentence_names_the_rarer_cause_of_its_status_too(
    status: int, cause: str
) -> None:
    assert cause in SPANISH["problems"][status]


def test_a_problem_without_a_spanish_sentence_of_its_own_is_not_told_in_english(
    client: FlaskClient,
) -> None:
    reply = client.get("/predict?lang=es", headers=FORM)
    assert reply.status_code == 405
    assert SPANISH["refused"] in reply.text
    assert "not allowed" not in reply.text


def test_an_answer_page_shows_the_photo_and_what_the_model_looked_at(client: FlaskClient) -> None:
    photo = {"image": (io.BytesIO(BILL), "a.jpg")}
    page = Tags(client.post("/predict?explain=1", data=photo, headers=FORM).text)
    assert any(str(a.get("src", "")).startswith("data:image/jpeg;base64,") for a in page.of("img"))
    assert [a for a in page.of("svg") if a.get("class") == "heat"]


@pytest.mark.parametrize("path", ["/", "/livez", "/predict", "/static/page.js", "/nowhere"])
def test_every_reply_forbids_what_the_page_does_not_need(client: FlaskClient, path: str) -> None:
    with client.get(path) as reply:
        headers = reply.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Set-Cookie" not in headers


@pytest.fixture(scope="module")
def opened_for_writing() -> list[str]:
    """Names of files that this process opens for writing while the test runs."""
    names: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE:
            names.append(str(arguments[0]))

    # An audit hook cannot be taken away again; this one only appends to a list.
    sys.addaudithook(watch)
    return names


@pytest.mark.parametrize("way", ["multipart", "raw"])
def test_a_photo_never_touches_the_disk(
    client: FlaskClient, opened_for_writing: list[str], way: str
) -> None:
    large = specimen.encode(specimen.bill("20", width=1600), "BMP")
    # Encoded by requests, since Werkzeug's test client writes a temporary file of its own.
    multipart = requests.Request("POST", "http://x", files={"image": large}).prepare()
    form = {"data": multipart.body, "content_type": multipart.headers["Content-Type"]}
    raw = {"data": large, "content_type": "image/bmp"}
    opened_for_writing.clear()
    assert client.post("/predict", **(form if way == "multipart" else raw)).status_code == 200
    assert opened_for_writing == []
