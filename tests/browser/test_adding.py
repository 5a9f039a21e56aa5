"""Adding up: each bill that the live camera reads counts once, and can be removed again."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import specimen
from tests.browser import canned
from tests.browser.conftest import OpenPage, Page, launched, pages, record_speech
from tests.browser.film import SIZE, shoot
from tests.browser.test_accessibility import AXE
from tests.browser.test_camera import FIVE, FRAMES, LISTEN, films_five, start, wait_to_hear
from tests.support.drawings import SAMPLES, draw
from tests.webapp.server import FrontEnd

__all__ = ["films_five"]

FIFTY = draw("fifty", SAMPLES["fifty"]).resize(SIZE)
MUG = specimen.other(width=SIZE[0])
EMPTY = ["Other"] * 3
ADD_UP, UNDO, CLEAR = "Add up what the camera reads", "Undo", "Start again"


@pytest.fixture
def page(films_five: Any, front_end: FrontEnd) -> Iterator[Page]:
    """A page whose camera is on, which adds up; the test says what its frames show."""
    with pages(films_five, front_end.url) as open_page:
        page = open_page()
        page.evaluate(LISTEN)
        page.get_by_label(ADD_UP).check()
        yield page


def show(page: Page, frames: Sequence[str]) -> None:
    """Answers the frames from now on, the last one for ever; `5?` is an unsure 5.

    `Other?` is what a bill may look like that is covered or turned over.
    """
    left = list(frames)

    def answer(route: Any) -> None:
        said = left.pop(0) if len(left) > 1 else left[0]
        sure = None if said.endswith("?") else said
        route.fulfill(json=canned.reply(sure, said.rstrip("?")).to_json())

    page.route(FRAMES, answer)
    if page.get_by_role("button", name="Live camera").is_visible():
        start(page)


def counted(page: Page) -> list[str]:
    return [str(line) for line in page.locator("#counted li").all_inner_texts()]


def wait_for_total(page: Page, dollars: int) -> None:
    page.locator("#total", has_text=f"Together {dollars} dollars").wait_for()


def test_bills_shown_one_after_the_other_are_added_up(
    driver: Any, front_end: FrontEnd, tmp_path: Path
) -> None:
    film = shoot(tmp_path / "film.y4m", [FIVE, MUG, FIFTY, MUG], seconds=8)
    with (
        launched(driver, f"--use-file-for-fake-video-capture={film}") as browser,
        pages(browser, front_end.url) as open_page,
    ):
        page = open_page()
        page.evaluate(LISTEN)
        page.get_by_label(ADD_UP).check()
        start(page)
        wait_for_total(page, 55)
        # The film is a loop: its first bill may be the fifty.
        assert sorted(counted(page)) == ["5 dollars", "50 dollars"]
        wait_to_hear(page, {"Next bill"})


def test_a_bill_counts_once_and_the_next_after_the_picture_was_empty(page: Page) -> None:
    show(page, ["5"] * 12 + EMPTY + ["5"] * 4 + EMPTY + ["20"])
    wait_for_total(page, 30)
    assert counted(page) == ["5 dollars", "5 dollars", "20 dollars"]


@pytest.mark.parametrize("unsure", ["5?", "Other?"])
def test_a_bill_that_is_tilted_for_a_while_is_the_same_bill(page: Page, unsure: str) -> None:
    show(page, ["5"] * 4 + [unsure] * 4 + ["5"])
    page.get_by_text("Not added").wait_for()
    assert counted(page) == ["5 dollars"]


def test_a_connection_that_is_lost_for_a_moment_loses_nothing(page: Page) -> None:
    show(page, ["5"])
    wait_for_total(page, 5)
    page.context.set_offline(True)
    page.locator("#verdict[data-state=offline]").wait_for()
    page.context.set_offline(False)
    page.locator("#verdict[data-state=empty]").wait_for(state="attached")
    assert counted(page) == ["5 dollars"]
    show(page, [*EMPTY, "20"])
    wait_for_total(page, 25)


def test_parts_of_a_dollar_are_added_up_without_an_error_of_rounding(page: Page) -> None:
    show(page, ["0.1"] * 4 + EMPTY + ["0.2"])
    page.locator("#total", has_text="Together 0.3 dollars").wait_for()


def test_a_bill_laid_upon_the_last_one_is_not_added_silently(page: Page) -> None:
    show(page, ["5"] * 4 + ["20"])
    page.get_by_text("Not added: first take the last bill out of the picture.").wait_for()
    assert counted(page) == ["5 dollars"]
    show(page, [*EMPTY, "20"])
    wait_for_total(page, 25)


def test_what_is_no_us_bill_is_not_added(page: Page) -> None:
    show(page, ["Other"] * 4 + ["1"])
    page.locator("#counted li").wait_for()
    assert counted(page) == ["1 dollar"]
    assert page.locator("#total").inner_text() == "Together 1 dollar"


def test_the_running_total_is_heard_and_spoken(page: Page) -> None:
    page.get_by_label("Speech").check()
    record_speech(page)
    show(page, ["5"] * 4 + EMPTY + ["20"])
    wait_for_total(page, 25)
    heard = {"5 dollarsTogether 5 dollars", "20 dollarsTogether 25 dollars", "Next bill"}
    assert heard <= set(page.evaluate("heard"))
    spoken = [text for text, _ in page.evaluate("spoken")]
    assert "20 dollars. Together 25 dollars" in spoken


@pytest.mark.parametrize("way", ["buttons", "keys"])
def test_the_last_one_is_taken_back_and_all_is_started_again(page: Page, way: str) -> None:
    def press(name: str) -> None:
        if way == "buttons":
            page.get_by_role("button", name=name, exact=True).click()
        else:
            page.keyboard.press({UNDO: "Backspace", CLEAR: "Delete"}[name])

    show(page, ["5"] * 4 + EMPTY + ["20"])
    wait_for_total(page, 25)
    press(UNDO)
    assert counted(page) == ["5 dollars"]
    assert "Taken back: 20 dollars" in page.locator("#verdict").inner_text()
    # It lies there still, and is the same bill.
    press(CLEAR)
    assert counted(page) == []
    assert "Together 0 dollars" in page.locator("#verdict").inner_text()
    # By mistake: undone as well.
    press(UNDO)
    assert counted(page) == ["5 dollars"]
    press(UNDO)
    press(UNDO)
    assert counted(page) == []
    assert page.locator("#total").inner_text() == "Together 0 dollars"


def test_switched_on_it_counts_the_bill_that_is_held_and_once_only(page: Page) -> None:
    page.get_by_label(ADD_UP).uncheck()
    assert page.locator("#sum").is_hidden()
    show(page, ["5"])
    page.locator("#verdict[data-state=sure]").wait_for()
    page.get_by_label(ADD_UP).check()
    wait_for_total(page, 5)
    page.get_by_label(ADD_UP).uncheck()
    page.get_by_label(ADD_UP).check()
    assert counted(page) == ["5 dollars"]


def test_a_camera_that_is_started_again_counts_no_bill_twice(page: Page) -> None:
    show(page, ["5"])
    wait_for_total(page, 5)
    page.get_by_role("button", name="Stop the camera").click()
    start(page)
    page.get_by_text("Not added").wait_for()
    assert counted(page) == ["5 dollars"]


def test_switched_off_the_keys_do_nothing(page: Page) -> None:
    show(page, ["5"])
    wait_for_total(page, 5)
    page.get_by_label(ADD_UP).uncheck()
    page.keyboard.press("Backspace")
    assert page.locator("#counted li").count() == 1


def test_it_speaks_spanish(films_five: Any, front_end: FrontEnd) -> None:
    with pages(films_five, front_end.url) as open_page:
        page = open_page("/?lang=es")
        page.get_by_label("Sumar lo que lee la cámara").check()
        page.route(FRAMES, lambda route: route.fulfill(json=canned.reply("5").to_json()))
        page.get_by_role("button", name="Cámara en vivo").click()
        page.locator("#total", has_text="En total, 5 dólares").wait_for()
        page.get_by_role("button", name="Deshacer").click()
        assert "Descontado: 5 dólares" in page.locator("#verdict").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: OpenPage, scheme: str) -> None:
    page = open_page(bypass_csp=True, color_scheme=scheme, viewport={"width": 360, "height": 800})
    page.get_by_label(ADD_UP).check()
    show(page, ["5"])
    wait_for_total(page, 5)
    found = Axe().run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()
