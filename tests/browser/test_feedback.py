"""“That was wrong”, in a browser: by keyboard, by screen reader, in both languages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import ImageFilter

from tests import specimen
from tests.browser.conftest import PHOTO, OpenPage, Page, headline, launched, pages
from tests.browser.film import SIZE, shoot
from tests.browser.test_accessibility import AXE
from tests.support.drawings import SAMPLES, draw
from tests.support.servers import ModelServer
from tests.webapp.server import FrontEnd

FIVE = draw("five", SAMPLES["five"])
SURE = PHOTO | {"buffer": specimen.encode(FIVE, "JPEG")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "feedback"


@pytest.fixture
def front_end(model_server: ModelServer, folder: Path) -> Iterator[FrontEnd]:
    """A front end that takes feedback."""
    settings = {"US_BILLS_TIMEOUT": "60", "US_BILLS_FEEDBACK": str(folder)}
    with FrontEnd(model_server.grpc_url, **settings) as running:
        running.wait_for("/readyz", 200)
        yield running


@pytest.fixture
def open_page(browser: Any, front_end: FrontEnd) -> Iterator[OpenPage]:
    with pages(browser, front_end.url) as open_page:
        yield open_page


def ask(page: Page, choose: str = "Choose pictures", wrong: str = "That was wrong") -> None:
    page.get_by_label(choose).set_input_files(SURE)
    headline(page)
    page.get_by_text(wrong, exact=True).click()


def kept(folder: Path) -> list[str]:
    return [photo.parent.name for photo in folder.glob("unchecked/*/*.jpg")]


def test_a_photo_is_sent_in_and_deleted_without_a_reload(open_page: OpenPage, folder: Path) -> None:
    page = open_page()
    ask(page)
    page.evaluate("window.here = true")
    page.get_by_label("What was it?").select_option("$50")
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Send this photo in").click()
    outcome = page.locator(".outcome")
    assert "kept as “$50” until" in outcome.inner_text()
    # A screen reader reads where the focus is.
    assert page.evaluate("document.activeElement.className") == "outcome"
    assert kept(folder) == ["50"]
    page.get_by_role("button", name="Delete the photo").click()
    page.get_by_text("Deleted", exact=True).wait_for()
    assert kept(folder) == []
    assert page.evaluate("window.here")


def test_without_consent_or_a_value_nothing_is_sent(open_page: OpenPage, folder: Path) -> None:
    page = open_page()
    ask(page)
    assert not page.get_by_label("I agree").is_checked()
    page.get_by_role("button", name="Send this photo in").click()
    page.get_by_label("What was it?").select_option("$50")
    page.get_by_role("button", name="Send this photo in").click()
    assert page.locator(".outcome").count() == 0
    assert kept(folder) == []


def test_of_an_unsure_answer_it_asks_what_it_is(open_page: OpenPage, folder: Path) -> None:
    page = open_page()
    bill = draw("twenty", 2).filter(ImageFilter.GaussianBlur(2))
    blurred = specimen.encode(bill, "JPEG")
    page.get_by_label("Choose pictures").set_input_files(PHOTO | {"buffer": blurred})
    page.locator("#verdict[data-state=unsure]").wait_for()
    page.get_by_text("Say what it is", exact=True).click()
    page.get_by_label("What was it?").select_option("$5")
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Send this photo in").click()
    page.locator(".outcome").wait_for()
    assert kept(folder) == ["5"]


def test_each_photo_is_asked_for_anew(open_page: OpenPage) -> None:
    page = open_page()
    ask(page)
    page.get_by_label("I agree").check()
    ask(page)
    assert not page.get_by_label("I agree").is_checked()


def test_the_keyboard_is_enough(open_page: OpenPage, folder: Path) -> None:
    page = open_page()
    page.get_by_label("Choose pictures").set_input_files(SURE)
    headline(page)

    def tab_to(selector: str) -> None:
        for _ in range(60):
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(selector)

    tab_to("summary")
    page.keyboard.press("Enter")
    tab_to("select")
    page.keyboard.type("$5")
    tab_to("[name=consent]")
    page.keyboard.press("Space")
    tab_to(".feedback button")
    page.keyboard.press("Enter")
    page.locator(".outcome").wait_for()
    assert kept(folder) in (["5"], ["50"])


def test_without_javascript_it_is_sent_in_and_deleted(open_page: OpenPage, folder: Path) -> None:
    page = open_page("/?lang=es", java_script_enabled=False)
    page.get_by_label("Elegir imágenes").set_input_files(SURE)
    page.get_by_role("button", name="Leer el billete").click()
    page.get_by_text("Eso no es correcto", exact=True).click()
    page.get_by_label("¿Qué era?").select_option("Otro billete de EE. UU.")
    page.get_by_label("Acepto").check()
    page.get_by_role("button", name="Enviar esta foto").click()
    assert headline(page) == "Gracias"
    assert kept(folder) == ["unlisted"]
    page.get_by_role("link", name="Página de la foto").click()
    page.get_by_role("button", name="Borrar la foto").click()
    assert headline(page) == "Borrada"
    assert kept(folder) == []


def test_a_photos_own_page_deletes_it(open_page: OpenPage, folder: Path) -> None:
    page = open_page()
    ask(page)
    page.get_by_label("What was it?").select_option("$50")
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Send this photo in").click()
    page.get_by_role("link", name="The photo's own page").click()
    page.get_by_role("button", name="Delete the photo").click()
    page.locator("#verdict").get_by_text("Deleted", exact=True).wait_for()
    assert kept(folder) == []


def test_what_keeps_it_from_being_kept_is_said_and_may_be_tried_again(
    open_page: OpenPage, folder: Path
) -> None:
    page = open_page()
    ask(page)
    page.get_by_label("What was it?").select_option("$50")
    page.get_by_label("I agree").check()
    page.context.set_offline(True)
    page.get_by_role("button", name="Send this photo in").click()
    page.get_by_text("cannot be reached").wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Send this photo in").click()
    page.get_by_text("kept as “$50”").wait_for()
    assert page.locator(".outcome").count() == 1
    assert kept(folder) == ["50"]


def test_of_several_photos_each_has_its_own_form(open_page: OpenPage, folder: Path) -> None:
    page = open_page()
    page.get_by_label("Choose pictures").set_input_files([SURE, SURE])
    page.locator("#verdict[data-state=several]").wait_for()
    second = page.locator(".card").nth(1)
    second.get_by_text("That was wrong", exact=True).click()
    second.get_by_label("What was it?").select_option("$1")
    second.get_by_label("I agree").check()
    second.get_by_role("button", name="Send this photo in").click()
    second.locator(".outcome").wait_for()
    assert page.locator(".feedback").count() == 1
    assert kept(folder) == ["1"]


def test_the_camera_stops_and_the_frame_that_is_kept_is_shown(
    driver: Any, front_end: FrontEnd, folder: Path, tmp_path: Path
) -> None:
    film = shoot(tmp_path / "film.y4m", [FIVE.resize(SIZE)])
    with (
        launched(driver, f"--use-file-for-fake-video-capture={film}") as browser,
        pages(browser, front_end.url) as open_page,
    ):
        page = open_page()
        page.get_by_role("button", name="Live camera").click()
        page.get_by_text("That was wrong", exact=True).click()
        assert page.locator(".feedback img").is_visible()
        # The next frame would take the form away.
        page.get_by_role("button", name="Live camera").wait_for()
        page.get_by_label("What was it?").select_option("$10")
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Send this photo in").click()
        page.locator(".outcome").wait_for()
    assert kept(folder) == ["10"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing(open_page: OpenPage, scheme: str, width: int) -> None:
    page = open_page(bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 900})
    ask(page)
    found = Axe().run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()
    page.get_by_label("What was it?").select_option("$50")
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Send this photo in").click()
    page.locator(".outcome").wait_for()
    found = Axe().run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()
