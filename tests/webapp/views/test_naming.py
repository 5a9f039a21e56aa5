"""How classes are shown and spoken, on the page and in the API."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.webapp.inference.test_model_cards import write_card
from webapp.feedback.record import UNLISTED, Feedback
from webapp.inference.classifier import ClassifiedPhotos
from webapp.names import Names, parse
from webapp.views.naming import Naming
from webapp.views.pages import answer_page, kept_page

STATED = parse(
    {
        "ten-new": {"value": 10},
        "coin": {"value": 0.25, "en": "a quarter"},
        "mug": {"en": "a mug", "es": "una taza"},
    }
)


@pytest.mark.parametrize(
    ("label", "shown", "said", "code"),
    [
        ("20", "$20", "20 dollars", "20"),
        ("1", "$1", "1 dollar", "1"),
        ("1-2030", "$1", "1 dollar", "1"),
        ("10-2026", "$10", "10 dollars", "10"),
        ("ten-new", "$10", "10 dollars", "10"),
        ("coin", "$0.25", "a quarter", "0.25"),
        ("mug", "a mug", "a mug", "mug"),
        ("teapot", "teapot", "teapot", "teapot"),
        ("Other", "Not a US bill", "Not a US bill", "Other"),
    ],
)
def test_a_class_is_shown_and_said(label: str, shown: str, said: str, code: str) -> None:
    naming = Naming(STATED, "en")
    assert (naming.shown(label), naming.said(label), naming.code(label)) == (shown, said, code)


def test_in_spanish_it_has_other_words() -> None:
    naming = Naming(STATED, "es")
    assert naming.said("ten-new") == "10 dólares"
    assert naming.said("mug") == naming.shown("mug") == "una taza"
    # Without Spanish words of its own.
    assert naming.said("coin") == "0.25 dólares"
    assert naming.said("Other") == "No es un billete de EE. UU."


def test_other_can_be_said_in_words_of_ones_own() -> None:
    naming = Naming(parse({"Other": {"en": "None of them"}}), "en")
    assert naming.shown("Other") == naming.said("Other") == "None of them"


def test_a_list_tells_two_designs_of_one_value_apart() -> None:
    naming = Naming(Names(), "en")
    assert [naming.listed(label) for label in ("10", "10-2026", "mug")] == [
        *("$10", "$10 (10-2026)", "mug")
    ]


def page_about(client: FlaskClient, label: str, names: Names) -> str:
    answer = {
        "filename": None,
        "denomination": label,
        "accepted": True,
        "probabilities": {label: 0.9, "10": 0.1},
    }
    model = {"name": "things", "version": 1, "label": "stable"}
    reply = ClassifiedPhotos(model, [answer], names=names)
    with client.application.test_request_context("/?lang=en"):
        return answer_page(reply)


@pytest.mark.parametrize(
    ("label", "state", "shown"),
    [("10-2026", "sure", "$10"), ("mug", "sure", "a mug"), ("Other", "other", "Not a US bill")],
)
def test_the_page_says_it(client: FlaskClient, label: str, state: str, shown: str) -> None:
    page = page_about(client, label, STATED)
    assert f'data-state="{state}"' in page
    assert re.search(rf'<p class="headline"[^>]*>{re.escape(shown)}</p>', page)
    body, _, _ = page.partition('<script type="application/json"')
    assert ("Not a US bill" in body) == (label == "Other")


def test_a_name_is_text_and_no_markup(client: FlaskClient) -> None:
    page = page_about(client, "<b>", parse({"<b>": {"en": "<script>"}}))
    assert "<script>" not in page.replace('<script src="', "").replace("<script type=", "")
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("was", "shown"),
    [
        ("mug", "kid&#39;s mug &amp; cup"),
        ("10-2026", "$10 (10-2026)"),
        (UNLISTED, "Another US bill"),
    ],
)
def test_what_was_sent_back_is_named_on_its_page(
    client_for: Callable[..., FlaskClient], tmp_path: Path, was: str, shown: str
) -> None:
    write_card(tmp_path, 7, '{"names": {"mug": {"en": "kid\'s mug & cup"}}}')
    app = client_for(models=str(tmp_path), feedback="unused").application
    with app.test_request_context("/?lang=en"):
        page = kept_page(Feedback(was, None, 7, {was: 0.9}, 90))
    assert f"The photo is kept as “{shown}” until" in page
