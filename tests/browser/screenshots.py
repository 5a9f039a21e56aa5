"""Takes the README's pictures of the page: `python -m tests.browser.screenshots`.

They show drawings, never a photo of a bill, in few colours, so that the files are small.
"""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter
from playwright.sync_api import sync_playwright

from tests import specimen
from tests.browser.conftest import PHONE, PHOTO, Page, headline, launched, pages
from tests.browser.film import SIZE, shoot
from tests.support.drawings import SAMPLES, draw
from tests.support.servers import ROOT, SHIPPED_FLAGS, ModelServer
from tests.webapp.server import FrontEnd

FOLDER = ROOT / "docs" / "images"
DESK = {"width": 1280, "height": 860}


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        film = shoot(folder / "film.y4m", [draw("five", SAMPLES["five"]).resize(SIZE)])
        with (
            ModelServer(folder, flags=SHIPPED_FLAGS, wait_for=["us_bills"]) as model_server,
            FrontEnd(model_server.grpc_url) as front_end,
            launched(driver, f"--use-file-for-fake-video-capture={film}") as browser,
            pages(browser, front_end.url) as open_page,
        ):
            _take("start", open_page(**PHONE), _nothing)
            _take("camera", open_page(**PHONE), _film)
            _take("photo", open_page(**PHONE, color_scheme="dark"), _sample)
            _take("unsure", open_page(**PHONE), _blurred)
            _take("offline", open_page("/offline?lang=es", **PHONE), headline)
            _take("several", open_page(viewport=DESK), _several)


def _take(name: str, page: Page, prepare: Callable[[Page], Any]) -> None:
    prepare(page)
    page.wait_for_timeout(500)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(32, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


def _nothing(page: Page) -> None:
    page.locator("#stage").wait_for()


def _film(page: Page) -> None:
    page.get_by_role("button", name="Live camera").click()
    page.locator("#details li").first.wait_for()


def _sample(page: Page) -> None:
    page.get_by_role("button", name="drawing 2").click()
    headline(page)


def _blurred(page: Page) -> None:
    bill = draw("twenty", 2).filter(ImageFilter.GaussianBlur(2))
    blurred = PHOTO | {"buffer": specimen.encode(bill, "JPEG")}
    page.get_by_label("Choose pictures").set_input_files(blurred)
    page.locator("#verdict[data-state=unsure]").wait_for()


def _several(page: Page) -> None:
    mug = PHOTO | {"name": "mug.jpg", "buffer": specimen.encode(specimen.other(), "JPEG")}
    five = draw("five", SAMPLES["five"])
    bill = PHOTO | {"name": "five.jpg", "buffer": specimen.encode(five, "JPEG")}
    page.get_by_label("Choose pictures").set_input_files([bill, PHOTO, mug])
    page.locator("#verdict[data-state=several]").wait_for()


if __name__ == "__main__":
    main()
