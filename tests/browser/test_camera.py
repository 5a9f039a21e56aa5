"""The live camera, fed from films: an answer once frames agree, otherwise a hint to the user."""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle, repeat
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser import canned
from tests.browser.conftest import SAMPLES as PICTURES
from tests.browser.conftest import OpenPage, Page, headline, launched, pages, record_speech
from tests.browser.film import SIZE, shoot
from tests.photos import real_photos
from tests.support.drawings import SAMPLES, draw
from tests.webapp.server import FrontEnd
from webapp.views.translations import ENGLISH

FIVE = draw("five", SAMPLES["five"]).resize(SIZE)
# All that the live region says, since a hint may be gone before the test looks.
LISTEN = """
    const verdict = document.getElementById("verdict");
    window.heard = [];
    const hear = () => window.heard.push(verdict.textContent.trim());
    new MutationObserver(hear).observe(verdict, { childList: true });
"""
# A browser that asks whether the camera may be used, and waits for `allow`.
ASKING = """() => {
    window.streams = [];
    const { mediaDevices } = navigator;
    const open = mediaDevices.getUserMedia.bind(mediaDevices);
    const allowed = new Promise((allow) => { window.allow = allow; });
    mediaDevices.getUserMedia = (what) => {
        const stream = allowed.then(() => open(what));
        window.streams.push(stream);
        return stream;
    };
}"""
# Allows it, and tells for every camera that was asked for whether it films.
FILMING = """async () => {
    allow();
    const tracks = (await Promise.all(streams)).flatMap((stream) => stream.getTracks());
    return tracks.map(({ readyState }) => readyState === "live");
}"""
FRAMES = re.compile(r"/predict\?explain=1&frame=1&count=0$")


def far_away(bill: Image.Image, share: float) -> Image.Image:
    """The same bill, small in the middle of its table."""
    frame = Image.new("RGB", bill.size, bill.getpixel((3, 3)))
    small = bill.resize((int(bill.width * share), int(bill.height * share)))
    frame.paste(small, ((bill.width - small.width) // 2, (bill.height - small.height) // 2))
    return frame


def too_close(bill: Image.Image) -> Image.Image:
    """Half of the bill's width and most of its height fill the picture."""
    return bill.crop((int(bill.width * 0.4), 0, int(bill.width * 0.9), int(bill.height * 0.9)))


@contextmanager
def filming(driver: Any, front_end: FrontEnd, film: Path) -> Iterator[Page]:
    """A page whose camera sees the film and is on."""
    with (
        launched(driver, f"--use-file-for-fake-video-capture={film}") as browser,
        pages(browser, front_end.url) as open_page,
    ):
        page = open_page()
        page.evaluate(LISTEN)
        start(page)
        yield page


@pytest.fixture(scope="module")
def films_five(driver: Any, tmp_path_factory: Any) -> Iterator[Any]:
    """A browser whose camera sees a $5 bill lying still."""
    film = shoot(tmp_path_factory.mktemp("film") / "five.y4m", [FIVE])
    with launched(driver, f"--use-file-for-fake-video-capture={film}") as browser:
        yield browser


@pytest.fixture
def page(films_five: Any, front_end: FrontEnd) -> Iterator[Page]:
    """A page whose camera will see a $5 bill lying still."""
    with pages(films_five, front_end.url) as open_page:
        yield open_page()


def start(page: Page) -> None:
    page.get_by_role("button", name="Live camera").click()


def answer_frames(page: Page, denominations: Iterable[str | None]) -> None:
    """Answers the camera's frames from now on; none any more, as on a hung connection, at last."""
    answers = iter(denominations)

    def answer(route: Any) -> None:
        for denomination in answers:
            route.fulfill(json=canned.reply(denomination).to_json())
            return

    page.route(FRAMES, answer)


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
    scenes = [night, far_away(FIVE, 0.33), too_close(FIVE), FIVE]
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


def test_what_is_no_money_is_named_and_never_added_up(page: Page) -> None:
    seen = canned.reply("closer").to_json()
    seen["predictions"][0]["said"] = "a mug"
    page.get_by_label("Add up what the camera reads").check()
    page.route(FRAMES, lambda route: route.fulfill(json=seen))
    start(page)
    page.locator("#verdict[data-state=sure]").wait_for()
    # Though its class is called as a hint is.
    assert headline(page) == "a mug"
    assert page.locator("#counted li").count() == 0


def test_a_second_design_of_a_value_is_said_and_added_up_as_the_first_is(page: Page) -> None:
    page.get_by_label("Add up what the camera reads").check()
    answer_frames(page, repeat("10-2026"))
    start(page)
    page.locator("#verdict[data-state=sure]").wait_for()
    assert page.locator("#verdict .headline").inner_text() == "10 dollars"
    assert page.locator("#counted li").all_inner_texts() == ["10 dollars"]


def test_without_a_bill_it_says_so_and_stops_when_told(open_page: OpenPage) -> None:
    page = open_page()
    start(page)
    page.locator("#verdict[data-state=guide]").wait_for()
    hints = ("dark", "bright", "still", "closer", "back", "none", "turn")
    assert headline(page) in {ENGLISH[hint] for hint in hints}
    page.get_by_role("button", name="Stop the camera").click()
    assert page.locator("#scene").is_hidden()


def test_stopped_early_it_leaves_nothing_to_be_read(open_page: OpenPage) -> None:
    page = open_page()
    start(page)
    page.get_by_role("button", name="Stop the camera").click()
    page.locator("#verdict[data-state=empty]").wait_for(state="attached")
    assert page.locator("#verdict").inner_text() == ""


def test_pressed_three_times_before_it_is_allowed_one_camera_films(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(ASKING)
    for name in ("Live camera", "Stop the camera", "Live camera"):
        page.get_by_role("button", name=name).click()
    assert page.evaluate(FILMING) == [False, True]
    page.get_by_role("button", name="Stop the camera").click()
    assert page.evaluate(FILMING) == [False, False]


def test_a_photo_given_while_the_camera_waits_keeps_its_answer(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(ASKING)
    start(page)
    page.get_by_label("Choose pictures").set_input_files(PICTURES / "five.webp")
    page.locator("#verdict[data-state=sure]").wait_for()
    assert page.evaluate(FILMING) == [False]
    assert headline(page) == "$5"
    assert page.locator("#scene").is_hidden()
    assert page.get_by_role("button", name="Live camera").is_visible()


def test_a_page_left_while_the_camera_waits_does_not_film(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(ASKING)
    start(page)
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { value: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    assert page.evaluate(FILMING) == [False]


def test_a_camera_whose_picture_may_not_be_played_is_switched_off(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(ASKING)
    refused = "Promise.reject(new DOMException())"
    page.evaluate(f"() => {{ HTMLVideoElement.prototype.play = () => {refused}; }}")
    start(page)
    page.evaluate("allow()")
    assert headline(page) == "That did not work"
    assert page.evaluate(FILMING) == [False]


def test_a_camera_that_is_taken_away_is_said_in_words(open_page: OpenPage) -> None:
    page = open_page()
    start(page)
    page.locator("#scene video").wait_for()
    page.evaluate(
        """document.querySelector("video").srcObject.getTracks()[0]
            .dispatchEvent(new Event("ended"))"""
    )
    page.locator("#verdict[data-state=problem]").wait_for()
    assert "The camera stopped" in page.locator("#verdict").inner_text()
    assert page.get_by_role("button", name="Live camera").is_visible()


def test_a_value_is_not_shown_beside_frames_that_agree_on_nothing(page: Page) -> None:
    answer_frames(page, repeat("5"))
    start(page)
    page.locator("#verdict[data-state=sure]").wait_for()
    answer_frames(page, cycle([None, "Other"]))
    page.locator("#verdict[data-state=guide]").wait_for()
    assert headline(page) == "Looking…"
    assert page.locator("#heat rect").count() == 0
    assert page.locator("#details").inner_text() == ""


def test_a_value_does_not_outlive_a_connection_that_hangs(page: Page) -> None:
    answer_frames(page, repeat("5"))
    start(page)
    page.locator("#verdict[data-state=sure]").wait_for()
    answer_frames(page, [])
    page.locator("#verdict[data-state=guide]").wait_for()
    assert "cannot be reached" in headline(page)


def test_a_value_does_not_outlive_a_camera_that_another_app_took(page: Page) -> None:
    start(page)
    page.locator("#verdict[data-state=sure]").wait_for()
    page.evaluate("Object.defineProperty(MediaStreamTrack.prototype, 'muted', { value: true })")
    page.locator("#verdict[data-state=guide]").wait_for()
    assert headline(page) == "Looking…"


def test_a_hint_stays_long_enough_to_be_read_aloud(page: Page) -> None:
    page.evaluate("() => { window.now = 0; performance.now = () => window.now; }")
    answer_frames(page, repeat("Other"))
    start(page)
    page.locator("#verdict[data-state=guide]").wait_for()
    answer_frames(page, repeat(None))
    for _ in range(6):
        with page.expect_response(FRAMES):
            pass
    assert headline(page) == "No bill in view"
    page.evaluate("window.now = 2000")
    page.get_by_text("Try the other side").wait_for()


@pytest.mark.parametrize(
    ("status", "words"),
    [(429, "Busy, one moment"), (502, "not ready"), (404, "not ready"), (200, "cannot be reached")],
)
def test_what_keeps_the_camera_from_its_answers_is_said(
    page: Page, status: int, words: str
) -> None:
    page.route(FRAMES, lambda route: route.fulfill(status=status, body="<h1>A proxy</h1>"))
    start(page)
    page.locator("#verdict[data-state=guide]").wait_for()
    assert words in headline(page)


def test_a_held_answer_comes_with_its_probabilities_and_version(page: Page) -> None:
    start(page)
    page.locator("#details li").first.wait_for()
    assert headline(page) == "5 dollars"
    assert "version 1" in page.locator("#details").inner_text()
    assert page.locator("#details figure").count() == 0


def test_a_browser_that_can_only_draw_within_the_page_reads_too(page: Page) -> None:
    page.evaluate("delete window.OffscreenCanvas")
    start(page)
    page.locator("#verdict[data-state=sure]").wait_for()
    assert headline(page) == "5 dollars"


def test_without_encryption_it_says_what_the_camera_needs(driver: Any, front_end: FrontEnd) -> None:
    elsewhere = ["--host-resolver-rules=MAP bills.example 127.0.0.1", "--no-proxy-server"]
    with (
        launched(driver, *elsewhere) as browser,
        pages(browser, f"http://bills.example:{front_end.port}") as open_page,
    ):
        page = open_page()
        start(page)
        page.locator("#verdict[data-state=problem]").wait_for()
        assert "begins with https" in page.locator("#verdict").inner_text()


def test_a_camera_that_is_not_allowed_is_said_in_words(driver: Any, front_end: FrontEnd) -> None:
    with (
        launched(driver, "--use-fake-ui-for-media-stream=deny") as browser,
        pages(browser, front_end.url) as open_page,
    ):
        page = open_page()
        page.get_by_label("Speech").check()
        record_speech(page)
        start(page)
        page.locator("#verdict[data-state=problem]").wait_for()
        assert "take a photo" in page.locator("#verdict").inner_text()
        [[spoken, _]] = page.evaluate("window.spoken")
        assert spoken.endswith("or take a photo")
