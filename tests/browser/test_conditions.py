"""The page in difficult conditions: offline, slow network, no server, keyboard or screen reader."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.browser.conftest import (
    LETTER,
    PHOTO,
    SAMPLES,
    OpenPage,
    Page,
    headline,
    pages,
    record_speech,
)
from tests.support.servers import HOST, ModelServer, free_port
from tests.webapp.server import FrontEnd

WITH_WORKER = "navigator.serviceWorker.ready.then(() => true)"
HTML = "text/html"
# Slower than any phone: the photo below takes two seconds.
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}


def test_it_opens_offline_says_so_and_comes_back_by_itself(open_page: OpenPage) -> None:
    page = open_page(locale="es", service_workers="allow")
    assert page.evaluate(WITH_WORKER)
    page.context.set_offline(True)
    page.reload()
    assert headline(page) == "Sin conexión"
    assert "necesita su servidor" in page.locator("#verdict").inner_text()
    page.context.set_offline(False)
    page.locator("#verdict[data-state=empty]").wait_for(state="attached")


def test_what_is_kept_for_offline_is_the_page_and_no_photo(open_page: OpenPage) -> None:
    page = open_page(service_workers="allow")
    assert page.evaluate(WITH_WORKER)
    page.get_by_label("Choose pictures").set_input_files(PHOTO)
    headline(page)
    kept = page.evaluate(
        """async () => (await Promise.all((await caches.keys()).map(async (name) =>
            (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)
        ))).flat()"""
    )
    assert all(path == "/offline" or path.startswith("/static/") for path in kept)
    assert kept


def test_a_photo_given_offline_is_answered_with_words(open_page: OpenPage) -> None:
    page = open_page()
    page.context.set_offline(True)
    page.get_by_label("Choose pictures").set_input_files(PHOTO)
    page.locator("#verdict[data-state=offline]").wait_for()
    assert "needs its server" in page.locator("#verdict").inner_text()


def test_a_connection_that_ends_is_spoken(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Speech").check()
    record_speech(page)
    page.context.set_offline(True)
    page.locator("#verdict[data-state=offline]").wait_for()
    [[spoken, _]] = page.evaluate("window.spoken")
    assert spoken.startswith("No connection. This page needs its server")


def test_an_answer_outlives_the_connection(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="drawing 1").click()
    assert headline(page) == "$5"
    page.context.set_offline(True)
    assert headline(page) == "$5"


def test_a_sample_chosen_offline_is_answered_with_words(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="drawing 1").click()
    assert headline(page) == "$5"
    page.context.set_offline(True)
    page.get_by_role("button", name="drawing 2").click()
    page.locator("#verdict[data-state=offline]").wait_for()


def test_the_samples_can_be_seen_offline(open_page: OpenPage) -> None:
    page = open_page(service_workers="allow")
    assert page.evaluate(WITH_WORKER)
    page.context.set_offline(True)
    page.reload()
    samples = page.locator("#samples img")
    samples.first.scroll_into_view_if_needed()
    for n in range(samples.count()):
        samples.nth(n).evaluate("(image) => image.decode()")


@contextmanager
def proxy_without_its_server(port: int) -> Iterator[None]:
    """What a visitor meets while the server behind a proxy is down: the proxy's own page."""

    class Away(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer((HOST, port), Away) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            proxy.shutdown()


def test_behind_a_proxy_without_its_server_it_opens_too(
    browser: Any, model_server: ModelServer
) -> None:
    with FrontEnd(model_server.grpc_url) as stopping, pages(browser, stopping.url) as open_page:
        page = open_page(service_workers="allow")
        assert page.evaluate(WITH_WORKER)
        stopping.stop()
        with proxy_without_its_server(stopping.port):
            page.reload()
            assert headline(page) == "No connection"


def test_a_refusal_of_the_front_end_itself_is_shown(browser: Any) -> None:
    with (
        FrontEnd(f"grpc://{HOST}:{free_port()}") as lonely,
        pages(browser, lonely.url) as open_page,
    ):
        page = open_page(service_workers="allow")
        assert page.evaluate(WITH_WORKER)
        assert page.goto(f"{lonely.url}/readyz").status == 503


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (413, "", "The picture is too large"),
        (429, "<h1>Too Many Requests</h1>", "The service is not ready"),
        (502, "<h1>Bad Gateway</h1>", "The service is not ready"),
        (403, "<h1>Forbidden</h1>", "The server refused the request"),
        (200, "<h1>Welcome to our hotel</h1>", "cannot be reached"),
    ],
)
def test_the_page_of_somebody_in_between_is_no_answer(
    open_page: OpenPage, status: int, body: str, words: str
) -> None:
    page = open_page()
    page.route("**/predict*", lambda r: r.fulfill(status=status, body=body, content_type=HTML))
    page.get_by_label("Choose pictures").set_input_files(PHOTO)
    assert headline(page) == "That did not work"
    assert words in page.locator("#verdict").inner_text()
    assert page.locator("#progress").is_hidden()


def test_a_server_lost_between_several_pictures_takes_no_answer_away(open_page: OpenPage) -> None:
    page = open_page()
    replies = iter(["first"])
    page.route("**/predict*", lambda r: r.continue_() if next(replies, None) else r.abort())
    five = SAMPLES / "five.webp"
    page.get_by_label("Choose pictures").set_input_files([five, five, five])
    page.locator("#verdict[data-state=several]").wait_for()
    assert headline(page) == "3 pictures"
    first, *others = page.locator("#details .card").all_inner_texts()
    assert "$5" in first
    assert len(others) == 2
    assert all("cannot be reached" in text for text in others)


def test_a_file_that_is_too_large_is_not_sent(browser: Any, model_server: ModelServer) -> None:
    with (
        FrontEnd(model_server.grpc_url, US_BILLS_MAX_BYTES="1000") as front_end,
        pages(browser, front_end.url) as open_page,
    ):
        page, asked = open_page(), list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_label("Choose pictures").set_input_files(PHOTO)
        page.locator("#verdict[data-state=problem]").wait_for()
        assert "too large" in page.locator("#verdict").inner_text()
        assert not [url for url in asked if "/predict" in url]


def test_a_new_photo_ends_the_upload_of_the_one_before(open_page: OpenPage) -> None:
    page = open_page()
    replies = iter(["never"])
    page.route("**/predict*", lambda r: None if next(replies, None) else r.continue_())
    page.get_by_label("Choose pictures").set_input_files(LETTER)
    page.get_by_role("progressbar", name="Sending the picture").wait_for()
    with page.expect_event("requestfailed") as failed:
        page.get_by_label("Choose pictures").set_input_files(SAMPLES / "five.webp")
    assert failed.value.failure == "net::ERR_ABORTED"
    assert headline(page) == "$5"
    assert page.locator("#progress").is_hidden()


def test_a_front_end_that_stopped_is_said_in_words(browser: Any, model_server: ModelServer) -> None:
    with FrontEnd(model_server.grpc_url) as stopping, pages(browser, stopping.url) as open_page:
        page = open_page()
        stopping.stop()
        page.get_by_label("Choose pictures").set_input_files(PHOTO)
        page.locator("#verdict[data-state=problem]").wait_for()
        assert "cannot be reached" in page.locator("#verdict").inner_text()


def test_on_a_slow_network_the_progress_is_shown(open_page: OpenPage) -> None:
    page = open_page()
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW)
    page.evaluate(
        """() => {
            const bar = document.querySelector("progress");
            window.shown = [];
            const note = () => window.shown.push([bar.hidden, bar.value, verdict.textContent]);
            new MutationObserver(note).observe(bar, { attributes: true });
        }"""
    )
    page.get_by_label("Choose pictures").set_input_files(PHOTO)
    page.locator("#details li").first.wait_for(timeout=60_000)
    shown = page.evaluate("window.shown")
    assert [False, "Looking…"] in [[hidden, said] for hidden, at, said in shown if 0 < at < 1]
    assert page.get_by_role("progressbar", name="Sending the picture").is_hidden()


def focused(page: Page) -> str:
    """What has the focus, by the name that a screen reader says."""
    return str(
        page.evaluate(
            """() => {
                const { activeElement: it } = document;
                const text = (it.labels?.[0] ?? it).innerText.trim();
                return text || it.querySelector("img")?.alt || "";
            }"""
        )
    )


def tab_to(page: Page, name: str) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"{name} cannot be reached by keyboard")


def test_the_tab_key_visits_everything_in_the_order_of_reading(open_page: OpenPage) -> None:
    page, visited = open_page(), list[str]()
    while not visited or visited[-1] != "drawing 2":
        page.keyboard.press("Tab")
        visited.append(focused(page))
        assert page.evaluate(
            """() => [document.activeElement, document.activeElement.closest(".way")].some(
                (it) => it && parseFloat(getComputedStyle(it).outlineWidth) >= 2)"""
        ), f"the focus on {visited[-1]} cannot be seen"
    assert visited == [
        "Which bill is this?",
        "Español",
        "Live camera",
        "Choose pictures",
        "Add up what the camera reads",
        "Speech",
        "Vibration",
        "Tones",
        "drawing 1",
        "drawing 2",
    ]


def test_all_of_it_can_be_done_by_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page()
    tab_to(page, "Live camera")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop the camera").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Live camera").wait_for()
    tab_to(page, "Speech")
    page.keyboard.press("Space")
    assert page.get_by_label("Speech").is_checked()
    tab_to(page, "drawing 2")
    page.keyboard.press("Enter")
    assert headline(page) == "$50"
    record_speech(page)
    for _ in range(10):
        page.keyboard.press("Shift+Tab")
        if focused(page) == "Say it again":
            break
    page.keyboard.press("Enter")
    assert page.evaluate("window.spoken") == [["50 dollars", "en"]]


def test_a_screen_reader_finds_title_ways_and_answer(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="drawing 1").click()
    headline(page)
    tree = page.locator("body").aria_snapshot()
    for line in (
        'heading "Which bill is this?" [level=1]',
        'button "Live camera"',
        'button "Choose pictures"',
        "status:\n      - paragraph: 5 dollars",
        'group "Also tell me by"',
        'button "Say it again"',
    ):
        assert line in tree, tree


@pytest.mark.parametrize(("motion", "name"), [("reduce", "none"), ("no-preference", "breathe")])
def test_nothing_moves_where_the_browser_asks_for_reduced_motion(
    open_page: OpenPage, motion: str, name: str
) -> None:
    page = open_page(reduced_motion=motion)
    page.evaluate(
        """document.getElementById("verdict").outerHTML =
            '<div id="verdict" data-state="busy"><p class="headline">Looking</p></div>'"""
    )
    moving = "getComputedStyle(document.querySelector('.headline')).animationName"
    assert page.evaluate(moving) == name


def test_bars_and_borders_are_drawn_in_high_contrast(open_page: OpenPage) -> None:
    page = open_page(forced_colors="active")
    page.get_by_role("button", name="drawing 1").click()
    headline(page)
    colours = page.evaluate(
        """[getComputedStyle(document.querySelector("#details li rect")).fill,
            getComputedStyle(document.body).color,
            getComputedStyle(document.querySelector("#live")).borderColor]"""
    )
    assert len(set(colours)) == 1
