"""The page in a real browser: every way to give a photo ends in the API's answer."""

import base64

import pytest

from tests.browser import canned
from tests.browser.conftest import (
    BILL,
    LETTER,
    PHONE,
    PHOTO,
    OpenPage,
    Page,
    headline,
    record_pulses,
)
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
    page = open_page(**PHONE)
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


def test_a_file_that_cannot_be_drawn_leaves_the_emblem_in_its_place(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Choose pictures").set_input_files(LETTER)
    headline(page)
    page.locator("#emblem").wait_for()
    assert page.locator("#preview").is_hidden()


@pytest.mark.parametrize(
    ("denomination", "shown", "said", "state"),
    [
        (None, "Not sure", "Not sure, try the other side", "unsure"),
        ("Other", "Not a US bill", "Not a US bill", "other"),
    ],
)
def test_what_has_no_value_is_told_so_with_one_long_pulse(
    open_page: OpenPage, denomination: str | None, shown: str, said: str, state: str
) -> None:
    page = open_page()
    answer = canned.html(denomination)
    page.route("**/predict*", lambda route: route.fulfill(body=answer, content_type="text/html"))
    record_pulses(page)
    page.get_by_label("Vibration").check()
    give(page, "drop")
    assert headline(page) == shown
    assert page.locator("#verdict .said").inner_text() == said
    assert page.get_by_role("status").get_attribute("data-state") == state
    [pulse, _] = page.evaluate("window.pulses")
    assert pulse > 500


def test_a_second_photo_replaces_the_first_answer(open_page: OpenPage, expected: str) -> None:
    page = open_page()
    give(page, "drop", b"Dear Sir, please find attached")
    headline(page)
    give(page, "drop")
    page.locator("#details li").first.wait_for()
    assert headline(page) == expected


def test_several_pictures_get_a_result_each(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Choose pictures").set_input_files([PHOTO, LETTER, PHOTO])
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


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_is_cut_off(open_page: OpenPage, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    give(page, "drop")
    headline(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_finger_on_a_way_to_give_a_photo_is_on_its_input(open_page: OpenPage) -> None:
    page = open_page(**PHONE)
    for name in ("Take a photo", "Choose pictures"):
        box = page.get_by_text(name, exact=True).bounding_box()
        middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        touched = page.evaluate("(at) => document.elementFromPoint(...at).type", middle)
        assert touched == "file"


def test_it_can_be_installed(open_page: OpenPage) -> None:
    page = open_page(service_workers="allow")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    found = page.context.new_cdp_session(page).send("Page.getInstallabilityErrors")
    # The contexts of tests are private windows, where nothing can be installed.
    errors = {error["errorId"] for error in found["installabilityErrors"]}
    assert errors <= {"in-incognito"}
