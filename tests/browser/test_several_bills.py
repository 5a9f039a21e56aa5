"""Several bills on one photo, in a browser: drawn, spoken, and reported by vibration and sound."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import specimen
from tests.browser import canned
from tests.browser.conftest import (
    PHONE,
    PHOTO,
    OpenPage,
    Page,
    headline,
    pages,
    record_pulses,
    record_speech,
)
from tests.browser.test_accessibility import AXE
from tests.browser.test_camera import FRAMES, start
from tests.support.counting import picture
from tests.support.servers import ModelServer
from tests.webapp.server import FrontEnd

BILLS = [("1", (20, 20, 90, 60)), ("20", (150, 20, 300, 90)), ("10", (20, 120, 200, 250))]
SENTENCE = "3 bills: 20, 10, 1; 31 dollars"
QUICK = 50
# The width of an outline, half of which lies beyond the bill on each side.
STROKE = 7
CARDS = "**/predict?explain=1&lang=en&frame=1"


@pytest.fixture(scope="module")
def counting_front_end(counting_server: ModelServer) -> Iterator[FrontEnd]:
    """The front end with a counter behind it."""
    settings = {
        "US_BILLS_COUNTER": "us_bills_count",
        "US_BILLS_TIMEOUT": "60",
        "US_BILLS_COUNTER_TIMEOUT": "60",
    }
    with FrontEnd(counting_server.grpc_url, **settings) as running:
        running.wait_for("/readyz", 200)
        yield running


@pytest.fixture
def open_counting(browser: Any, counting_front_end: FrontEnd) -> Iterator[OpenPage]:
    """Opens its page."""
    with pages(browser, counting_front_end.url) as open_page:
        yield open_page


def give(page: Page, **how: Any) -> None:
    photo = specimen.encode(picture(BILLS, **how), "PNG")
    page.get_by_label("Choose pictures").set_input_files(PHOTO | {"buffer": photo})
    headline(page)


def test_they_are_told_with_their_sum(open_counting: OpenPage) -> None:
    page = open_counting()
    give(page)
    assert headline(page) == "$31"
    assert page.locator("#verdict .said").inner_text() == SENTENCE
    assert page.title().startswith("$31")


def test_each_is_drawn_where_it_lies(open_counting: OpenPage) -> None:
    page = open_counting()
    give(page)
    photo = page.locator("#details figure img").bounding_box()
    # In the order of the list: the twenty is the first.
    drawn = page.locator("#details .bills polygon.edge").first.bounding_box()
    left, top, right, bottom = (150 / 448, 20 / 336, 300 / 448, 90 / 336)
    assert drawn["x"] == pytest.approx(photo["x"] + left * photo["width"], abs=STROKE)
    assert drawn["y"] == pytest.approx(photo["y"] + top * photo["height"], abs=STROKE)
    assert drawn["width"] == pytest.approx((right - left) * photo["width"], abs=STROKE)
    assert drawn["height"] == pytest.approx((bottom - top) * photo["height"], abs=STROKE)
    assert page.locator("#details .bills text").all_text_contents() == ["$20", "$10", "$1"]


def test_their_number_is_felt_before_each_of_them(open_counting: OpenPage) -> None:
    page = open_counting()
    record_pulses(page)
    page.get_by_label("Vibration").check()
    give(page)
    pulses = page.evaluate("window.pulses")[::2]
    assert pulses[:3] == [QUICK] * 3
    # 5 for $20, 4 for $10, 1 for $1.
    assert len(pulses[3:]) == 5 + 4 + 1
    assert min(pulses[3:]) > QUICK


def test_bills_in_doubt_are_felt_as_a_number_and_no_answer(open_counting: OpenPage) -> None:
    page = open_counting()
    record_pulses(page)
    page.get_by_label("Vibration").check()
    give(page, unsure=True)
    *number, answer = page.evaluate("window.pulses")[::2]
    assert number == [QUICK] * 3
    assert answer > 500


def test_as_many_bills_as_there_can_be_are_not_cut_off_by_the_phone(
    open_counting: OpenPage,
) -> None:
    page = open_counting()
    record_pulses(page)
    page.get_by_label("Vibration").check()
    page.evaluate("Object.assign(verdict.dataset, { denomination: Array(16).fill('100').join() })")
    page.evaluate("Object.assign(verdict.dataset, { bills: 16, state: 'sure' })")
    page.get_by_role("button", name="Say it again").click()
    pulses = page.evaluate("window.pulses")
    assert pulses[:32:2] == [QUICK] * 16
    assert len(pulses) < 99
    assert len(pulses[32:]) % (2 * 7) == 0


def test_the_answer_is_spoken_once_their_number_was_felt(open_counting: OpenPage) -> None:
    page = open_counting(bypass_csp=True)
    page.get_by_label("Speech").check()
    page.get_by_label("Vibration").check()
    record_pulses(page)
    record_speech(page)
    page.evaluate("""() => {
        const speak = speechSynthesis.speak;
        const vibrate = navigator.vibrate;
        speechSynthesis.speak = (what) => { window.spokenAt = performance.now(); speak(what); };
        navigator.vibrate = (what) => { window.feltAt = performance.now(); return vibrate(what); };
    }""")
    give(page)
    page.wait_for_function("window.spoken.length > 0")
    assert page.evaluate("window.spoken") == [[SENTENCE, "en"]]
    number = sum(page.evaluate("window.pulses")[: 2 * 3])
    assert page.evaluate("window.spokenAt - window.feltAt") >= number - 50


def test_speech_alone_does_not_wait(open_counting: OpenPage) -> None:
    page = open_counting()
    page.get_by_label("Speech").check()
    give(page)
    record_speech(page)
    page.get_by_role("button", name="Say it again").click()
    assert page.evaluate("window.spoken") == [[SENTENCE, "en"]]


def test_the_next_answer_is_not_felt_as_several(open_counting: OpenPage) -> None:
    page = open_counting()
    give(page)
    page.get_by_role("button", name="drawing 1").click()
    page.locator("#verdict[data-denomination='5']").wait_for()
    assert page.get_by_role("status").get_attribute("data-bills") == ""


@pytest.mark.parametrize("unsure", [False, True])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "es"])
def test_axe_finds_nothing_beside_several_bills(
    open_counting: OpenPage, lang: str, scheme: str, unsure: bool
) -> None:
    page = open_counting(f"/?lang={lang}", color_scheme=scheme, bypass_csp=True, **PHONE)
    photo = specimen.encode(picture(BILLS, unsure=unsure), "PNG")
    page.locator("input[type=file]").last.set_input_files(PHOTO | {"buffer": photo})
    page.locator("#details .bills").wait_for()
    found = Axe().run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()


def test_without_javascript_they_are_told_and_drawn(open_counting: OpenPage) -> None:
    page = open_counting("/?lang=en", java_script_enabled=False)
    photo = specimen.encode(picture(BILLS), "PNG")
    page.get_by_label("Choose pictures").set_input_files(PHOTO | {"buffer": photo})
    page.get_by_role("button", name="Read the bill").click()
    assert headline(page) == "$31"
    assert page.locator("#details .bills text").count() == 3


def test_the_live_camera_says_several_bills_once_it_has_looked_for_them(
    open_counting: OpenPage,
) -> None:
    page = open_counting("/?lang=en")
    answer = canned.html("20", ["20", "10"])
    page.route(FRAMES, lambda route: route.fulfill(json=canned.reply("20").to_json()))
    page.route(CARDS, lambda route: route.fulfill(body=answer, content_type="text/html"))
    start(page)
    page.locator("#verdict[data-bills='2']").wait_for()
    assert page.locator("#verdict .said").inner_text() == "2 bills: 20, 10; 30 dollars"
