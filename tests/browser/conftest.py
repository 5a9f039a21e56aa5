"""Fixtures of the browser tests: the front end, Chromium, and pages whose errors fail a test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests import specimen
from tests.conftest import CHROMIUM
from tests.support.servers import ROOT, ModelServer
from tests.webapp.server import FrontEnd

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
SAMPLES = ROOT / "webapp" / "static" / "samples"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
BILL = specimen.encode(specimen.bill("20", angle=9), "JPEG")
PHOTO = {"name": "bill.jpg", "mimeType": "image/jpeg", "buffer": BILL}
LETTER = {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear Sir"}

Page = Any
OpenPage = Callable[..., Page]


@contextmanager
def launched(driver: Any, *flags: str) -> Iterator[Any]:
    """Starts a browser with a fake camera that needs no permission."""
    browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS, *flags])
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture(scope="session")
def browser(driver: Any) -> Iterator[Any]:
    """The browser that all tests share, except those that need a separate camera."""
    with launched(driver) as running:
        yield running


@pytest.fixture(scope="session")
def front_end(model_server: ModelServer) -> Iterator[FrontEnd]:
    """The front end with the shipped model behind it."""
    with FrontEnd(model_server.grpc_url, US_BILLS_TIMEOUT="60") as running:
        running.wait_for("/readyz", 200)
        yield running


@contextmanager
def pages(browser: Any, url: str) -> Iterator[OpenPage]:
    """Opens pages of `url`, each in a separate context; a script error fails the test."""
    contexts: list[Any] = []
    errors: list[str] = []

    def open_page(path: str = "/", **options: Any) -> Page:
        # A service worker that is still starting can prevent its context from closing.
        contexts.append(browser.new_context(**{"service_workers": "block"} | options))
        page = contexts[-1].new_page()
        page.set_default_timeout(90_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url + path)
        return page

    try:
        yield open_page
    finally:
        for context in contexts:
            context.close()
    assert errors == []


@pytest.fixture
def open_page(browser: Any, front_end: FrontEnd) -> Iterator[OpenPage]:
    """Opens the page."""
    with pages(browser, front_end.url) as open_page:
        yield open_page


def headline(page: Page) -> str:
    """Returns the headline of the answer, once there is one."""
    settled = page.locator("#verdict:not([data-state=busy], [data-state=empty]) .headline")
    return str(settled.inner_text())


def record_speech(page: Page) -> None:
    """Records the texts to be spoken, because the test's browser has no voice."""
    page.evaluate(
        """() => {
            window.spoken = [];
            speechSynthesis.speak = ({ text, lang }) => { if (text) spoken.push([text, lang]); };
        }"""
    )


def record_pulses(page: Page) -> None:
    """Records the vibration pulses, because the test's browser cannot vibrate."""
    page.evaluate("navigator.vibrate = (pulses) => { window.pulses = pulses; return true; }")
