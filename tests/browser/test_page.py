"""The page in a real browser: every way to give a photo ends in the API's answer."""

import base64

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import BILL, PHOTO, OpenPage, Page, headline
from tests.webapp.server import FrontEnd


@pytest.fixture(scope="module")
def expected(front_end: FrontEnd) -> str:
    """The headline for `BILL`, from what the API says of the same bytes."""
    reply = front_end.predict(BILL)
    answer = reply.json()["predictions"][0]
    if not answer["accepted"]:
        return "Not sure"
    name = answer["denomination"]
    return f"${name}" if name.isdecimal() else "Not a US bill"


def give(page: Page, event: str, data: bytes = BILL) -> None:
    """Dispatch a drop or a paste that carries a file, as the desktop would."""
    page.evaluate(
        """([event, data]) => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], "bill.jpg", { type: "image/jpeg" }));
            const how = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(event === "drop"
                ? new DragEvent("drop", { ...how, dataTransfer: carried })
                : new ClipboardEvent("paste", { ...how, clipboardData: carried }));
        }""",
        [event, base64.b64encode(data).decode()],
    )


def test_a_picked_file_is_answered(open_page: OpenPage, expected: str) -> None:
    page = open_page()
    page.get_by_label("Choose pictures").set_input_files(PHOTO)
    assert headline(page) == expected
    assert page.locator("#details figure img").is_visible()
    assert page.locator("#details .heat rect").count() > 1
    heat, photo = page.locator("#details .heat"), page.locator("#details figure img")
    assert heat.bounding_box() == pytest.approx(photo.bounding_box(), abs=1)
    assert page.locator("#details li").count() > 1
    assert "version 1" in page.locator("#details").inner_text()


def test_a_photo_from_the_phones_camera_is_answered(open_page: OpenPage, expected: str) -> None:
    page = open_page(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page.get_by_label("Take a photo").set_input_files(PHOTO)
    assert headline(page) == expected


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_dropped_or_pasted_picture_is_answered(
    open_page: OpenPage, expected: str, event: str
) -> None:
    page = open_page()
    give(page, event)
    assert headline(page) == expected


def test_the_keyboard_is_enough(open_page: OpenPage, expected: str) -> None:
    page = open_page()
    with page.expect_file_chooser() as chooser:
        while page.evaluate("document.activeElement.name") != "image":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    chooser.value.set_files(PHOTO)
    assert headline(page) == expected


def test_without_javascript_the_form_gives_the_same_answer(
    open_page: OpenPage, expected: str
) -> None:
    page = open_page(java_script_enabled=False)
    page.get_by_label("Choose pictures").set_input_files(PHOTO)
    page.get_by_role("button", name="Read the bill").click()
    assert headline(page) == expected


def test_a_problem_is_shown_as_its_sentence(open_page: OpenPage) -> None:
    page = open_page()
    give(page, "drop", b"Dear Sir, please find attached")
    assert headline(page) == "That did not work"
    assert "bill.jpg: The file is not a picture." in page.locator("#verdict").inner_text()


def test_a_second_photo_replaces_the_first_answer(open_page: OpenPage, expected: str) -> None:
    page = open_page()
    give(page, "drop", b"Dear Sir, please find attached")
    headline(page)
    give(page, "drop")
    page.locator("#details li").first.wait_for()
    assert headline(page) == expected


def test_several_pictures_get_a_result_each(open_page: OpenPage) -> None:
    page = open_page()
    text = {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear Sir"}
    page.get_by_label("Choose pictures").set_input_files([PHOTO, text, PHOTO])
    page.locator("#verdict[data-state=several]").wait_for()
    assert headline(page) == "3 pictures"
    assert page.locator("#details .card").count() == 3
    assert "not a picture" in page.locator("#details .card").nth(1).inner_text()


def test_a_sample_drawn_by_the_project_is_answered(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="drawing 2").click()
    assert headline(page) == "$50"
    assert page.get_by_role("status").get_attribute("data-denomination") == "50"
    assert page.locator("#verdict .said").inner_text() == "50 dollars"


def test_an_answer_can_be_felt(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate("navigator.vibrate = (pulses) => { window.pulses = pulses; return true; }")
    page.get_by_label("Vibration").check()
    page.get_by_role("button", name="drawing 1").click()
    assert headline(page) == "$5"
    assert page.evaluate("window.pulses.length / 2") == 3


AXE = {"rules": {"target-size": {"enabled": True}}}
"""WCAG 2.2's size of targets is the one rule of its level AA that axe leaves out by default."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "es"])
def test_axe_finds_nothing_beside_an_answer(open_page: OpenPage, scheme: str, lang: str) -> None:
    page = open_page(color_scheme=scheme, bypass_csp=True, locale=lang)
    give(page, "drop")
    headline(page)
    found = Axe().run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("path", ["/", "/offline"])
@pytest.mark.parametrize("contrast", ["more", "no-preference"])
def test_axe_finds_nothing_on_the_empty_page(open_page: OpenPage, path: str, contrast: str) -> None:
    page = open_page(path, bypass_csp=True, contrast=contrast)
    found = Axe().run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_is_cut_off(open_page: OpenPage, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    give(page, "drop")
    headline(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
