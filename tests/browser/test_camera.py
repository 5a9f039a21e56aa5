"""The live camera, fed from films: an answer once frames agree, else a hint for the hand."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.conftest import OpenPage, Page, headline, launched, pages
from tests.browser.film import SIZE, shoot
from tests.photos import real_photos
from tests.support.drawings import SAMPLES, draw
from tests.webapp.server import FrontEnd

FIVE = draw("five", SAMPLES["five"]).resize(SIZE)
# All that the live region says, since a hint may be gone before the test looks.
LISTEN = """
    const verdict = document.getElementById("verdict");
    window.heard = [];
    const hear = () => window.heard.push(verdict.textContent.trim());
    new MutationObserver(hear).observe(verdict, { childList: true });
"""


def far_away(bill: Image.Image, share: float) -> Image.Image:
    """The same bill, small in the middle of its table."""
    frame = Image.new("RGB", bill.size, bill.getpixel((3, 3)))
    small = bill.resize((int(bill.width * share), int(bill.height * share)))
    frame.paste(small, ((bill.width - small.width) // 2, (bill.height - small.height) // 2))
    return frame


def too_close(bill: Image.Image) -> Image.Image:
    """Three fifths of the bill's right side fill the picture."""
    return bill.crop((int(bill.width * 0.4), bill.height // 5, bill.width, bill.height * 4 // 5))


@contextmanager
def filming(driver: Any, front_end: FrontEnd, film: Path) -> Iterator[Page]:
    """A page whose camera sees the film and is on."""
    with (
        launched(driver, f"--use-file-for-fake-video-capture={film}") as browser,
        pages(browser, front_end.url) as open_page,
    ):
        page = open_page()
        page.evaluate(LISTEN)
        page.get_by_role("button", name="Live camera").click()
        yield page


def wait_to_hear(page: Page, said: set[str]) -> None:
    heard: set[str] = set()
    deadline = time.monotonic() + 120
    while not said <= heard and time.monotonic() < deadline:
        page.wait_for_timeout(200)
        heard = set(page.evaluate("window.heard"))
    assert said <= heard


def test_it_guides_the_hand_and_says_the_value(
    driver: Any, front_end: FrontEnd, tmp_path: Path
) -> None:
    night = Image.new("RGB", SIZE)
    scenes = [night, far_away(FIVE, 0.23), too_close(FIVE), FIVE]
    film = shoot(tmp_path / "film.y4m", scenes, seconds=8)
    with filming(driver, front_end, film) as page:
        wait_to_hear(page, {"Too dark", "Come closer", "Move back", "5 dollars"})
        assert page.evaluate("new Set(window.heard.filter((x) => /dollar/.test(x))).size") == 1


def test_a_held_answer_shows_what_the_model_looked_at(
    driver: Any, front_end: FrontEnd, tmp_path: Path
) -> None:
    film = shoot(tmp_path / "film.y4m", [FIVE])
    with filming(driver, front_end, film) as page:
        wait_to_hear(page, {"5 dollars"})
        assert page.get_by_role("status").get_attribute("data-denomination") == "5"
        assert page.locator("#heat rect").count() > 1
        heat, video = page.locator("#heat").bounding_box(), page.locator("video").bounding_box()
        assert heat == pytest.approx(video, abs=1)
        # Said once, however long the bill is held.
        page.wait_for_timeout(3000)
        assert page.evaluate("window.heard.filter((said) => /dollar/.test(said))") == ["5 dollars"]


def test_a_real_bill_is_read(driver: Any, front_end: FrontEnd, tmp_path: Path) -> None:
    photos = [path for path in real_photos() if path.parent.name == "20"]
    with Image.open(photos[0]) as photo:
        film = shoot(tmp_path / "film.y4m", [photo])
    with filming(driver, front_end, film) as page:
        wait_to_hear(page, {"20 dollars"})


def test_without_a_bill_it_says_so_and_stops_when_told(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Live camera").click()
    page.locator("#verdict[data-state=guide]").wait_for()
    assert headline(page) in {"No bill in view", "Try the other side", "Hold still", "Move back"}
    page.get_by_role("button", name="Stop the camera").click()
    assert page.locator("#scene").is_hidden()


def test_a_camera_that_is_not_allowed_is_said_in_words(driver: Any, front_end: FrontEnd) -> None:
    with (
        launched(driver, "--use-fake-ui-for-media-stream=deny") as browser,
        pages(browser, front_end.url) as open_page,
    ):
        page = open_page()
        page.get_by_role("button", name="Live camera").click()
        page.locator("#verdict[data-state=problem]").wait_for()
        assert "take a photo" in page.locator("#verdict").inner_text()
