"""The page about several bills, without a browser: its words, its drawing, its hints."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests import specimen
from tests.support.counting import picture
from tests.support.servers import ROOT, ModelServer
from webapp.views.translations import ENGLISH, SPANISH

FORM = {"Accept": "text/html"}
FIVE = Image.open(ROOT / "webapp" / "static" / "samples" / "five.webp").convert("RGB")
THREE = [("1", (10, 10, 90, 60)), ("20", (150, 20, 300, 90)), ("10", (20, 120, 200, 250))]
FIVES = [("5", (2, 2, 24, 10)), ("5", (32, 2, 54, 10))]

App = Callable[..., FlaskClient]


@pytest.fixture
def counting(client_for: App, counting_server: ModelServer) -> FlaskClient:
    """The application in front of the server that has a counter."""
    return client_for(model_server=counting_server.grpc_url, counter="us_bills_count")


def post(client: FlaskClient, *photos: Image.Image, query: str = "?lang=en") -> str:
    files = [(io.BytesIO(specimen.encode(photo, "PNG")), "a.png") for photo in photos]
    return client.post(f"/predict{query}", data={"image": files}, headers=FORM).text


def says(page: str, phrase: str) -> bool:
    """Whether a person sees a phrase; all of them are in the page, for its script."""
    return bool(re.search(rf"<(p|h3)[^>]*>{re.escape(phrase)}</", page))


def verdict(page: str) -> tuple[str, str, str, str, str]:
    """State, denominations and number of bills for the script; the headline; what is said."""
    found = re.search(
        r'data-state="(.*?)"\s+data-denomination="(.*?)"\s+data-bills="(.*?)">\s*'
        r'<p class="headline" aria-hidden="true">(.*?)</p>\s*<p class="said">(.*?)</p>',
        page,
        re.DOTALL,
    )
    assert found, page
    state, denominations, bills, headline, said = found.groups()
    return state, denominations, bills, headline, said


def test_several_bills_are_named_with_their_sum(counting: FlaskClient) -> None:
    said = "3 bills: 20, 10, 1; 31 dollars"
    page = post(counting, picture(THREE))
    assert verdict(page) == ("sure", "20,10,1", "3", "$31", said)
    assert says(page, said)
    assert not says(page, ENGLISH["several_advice"])


@pytest.mark.parametrize(("unsure", "button"), [(False, "wrong"), (True, "say")])
def test_a_sure_sum_can_be_called_wrong(
    client_for: App, counting_server: ModelServer, tmp_path: Path, unsure: bool, button: str
) -> None:
    server, folder = counting_server.grpc_url, str(tmp_path)
    client = client_for(model_server=server, counter="us_bills_count", feedback=folder)
    page = post(client, picture(THREE, unsure=unsure))
    assert f"<summary>{ENGLISH['feedback'][button]}</summary>" in page


def test_so_they_are_in_spanish(counting: FlaskClient) -> None:
    page = post(counting, picture(THREE), query="?lang=es")
    assert verdict(page)[-1] == "3 billetes: 20, 10, 1; 31 dólares"


def test_a_list_in_doubt_is_told_as_several_bills(counting: FlaskClient) -> None:
    page = post(counting, picture(THREE, unsure=True))
    said = "Several bills, I am not sure of one of them"
    assert verdict(page) == ("unsure", "", "3", "Several bills", said)
    assert says(page, ENGLISH["several_advice"])


def test_several_of_one_value_in_doubt_stand_behind_that_value(counting: FlaskClient) -> None:
    page = post(counting, picture(FIVES, on=FIVE, unsure=True))
    said = "5 dollars. Several bills, I am not sure of one of them"
    assert verdict(page) == ("sure", "5", "2", "$5", said)


def test_one_bill_is_told_as_before(counting: FlaskClient) -> None:
    page = post(counting, picture(FIVES[:1], on=FIVE))
    assert verdict(page) == ("sure", "5", "", "$5", "5 dollars")
    assert says(page, ENGLISH["likely"])


def test_each_bill_is_drawn_over_the_photo_with_its_value(counting: FlaskClient) -> None:
    page = post(counting, picture(THREE))
    assert 'viewBox="0 0 480 360"' in page
    assert page.count("<polygon") == 2 * 3
    assert re.findall(r"<text .*?>(.*?)</text>", page) == ["$20", "$10", "$1"]
    [points] = set(re.findall(r'points="(160\.7,.*?) ?"', page))
    assert points == "160.7,21.4 321.4,21.4 321.4,96.4 160.7,96.4"


def test_bills_in_doubt_are_drawn_as_such(counting: FlaskClient) -> None:
    page = post(counting, picture(THREE, unsure=True))
    assert '<svg class="bills doubtful"' in page
    assert re.findall(r"<text .*?>(.*?)</text>", page) == ["$20?", "$10?", "$1?"]


def test_a_list_in_words_stands_beside_the_drawing(counting: FlaskClient) -> None:
    page = post(counting, picture(THREE))
    listed = page[page.index(f"<h3>{ENGLISH['bills_seen']}</h3>") :]
    assert re.findall(r"<span>(\$\d+)</span>", listed) == ["$20", "$10", "$1"]
    assert "counted by us_bills_count, version 3." in page


def test_of_several_photos_each_is_said_in_turn(counting: FlaskClient) -> None:
    page = post(counting, picture(THREE), FIVE)
    state, denominations, bills, headline, said = verdict(page)
    assert (state, denominations, bills, headline) == ("several", "20,10,1,5", "", "2 pictures")
    assert said == "3 bills: 20, 10, 1; 31 dollars. 5 dollars"


def test_where_nothing_can_be_counted_the_page_says_so(client_for: App) -> None:
    client = client_for(counter="coins")
    assert says(post(client, FIVE), ENGLISH["not_counted"])
    assert says(post(client, FIVE, query="?lang=es"), SPANISH["not_counted"])
    assert not says(post(client, FIVE, query="?lang=en&count=0"), ENGLISH["not_counted"])
    assert not says(post(client_for(counter=""), FIVE), ENGLISH["not_counted"])


def test_the_advice_is_that_of_what_can_be_counted(client_for: App) -> None:
    with_counter, without = (
        client_for(**how).get("/?lang=en").text for how in ({"counter": "us_bills_count"}, {})
    )
    assert says(with_counter, ENGLISH["side_by_side"])
    assert not says(with_counter, ENGLISH["one_at_a_time"])
    assert says(without, ENGLISH["one_at_a_time"])


def test_bills_in_doubt_are_not_worth_a_word_beside_a_sure_answer_of_no_money(
    counting: FlaskClient,
) -> None:
    twenties = [("20", (10, 10, 90, 60)), ("20", (150, 20, 300, 90))]
    page = post(counting, picture(twenties, unsure=True))
    assert verdict(page) == ("other", "Other", "", "Not a US bill", "Not a US bill")
