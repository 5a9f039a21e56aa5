"""How the page reports an answer in addition to text: speech, vibration, tones, the title."""

import pytest

from tests.browser.conftest import (
    LETTER,
    SAMPLES,
    OpenPage,
    Page,
    headline,
    record_pulses,
    record_speech,
)

# What has been asked of the browser's sound, by the real classes.
LISTEN = """() => {
    window.contexts = [];
    window.tones = [];
    window.AudioContext = class extends AudioContext {
        constructor() { super(); contexts.push(this); }
    };
    window.OscillatorNode = class extends OscillatorNode {
        constructor(...how) { super(...how); tones.push(this.frequency.value); }
    };
}"""


def read_five(page: Page) -> None:
    page.get_by_role("button", name="drawing 1").click()
    page.locator("#verdict[data-state=sure]").wait_for()


def test_an_answer_is_spoken_in_the_pages_language(open_page: OpenPage) -> None:
    page = open_page(locale="es")
    page.get_by_label("Voz").check()
    record_speech(page)
    page.get_by_role("button", name="dibujo 2").click()
    headline(page)
    assert page.evaluate("window.spoken") == [["50 dólares", "es"]]


def test_a_problem_is_spoken_in_sentences(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Speech").check()
    record_speech(page)
    page.get_by_label("Choose pictures").set_input_files(LETTER)
    assert headline(page) == "That did not work"
    [[spoken, _]] = page.evaluate("window.spoken")
    assert spoken.startswith("That did not work. letter.txt: The file is not a picture")


def test_speech_says_so_when_it_is_switched_on(open_page: OpenPage) -> None:
    page = open_page()
    record_speech(page)
    page.get_by_label("Speech").check()
    assert page.evaluate("window.spoken") == [["Speech", "en"]]


def test_say_it_again_says_the_answer(open_page: OpenPage) -> None:
    page = open_page()
    assert page.get_by_role("button", name="Say it again").count() == 0
    read_five(page)
    record_speech(page)
    page.get_by_role("button", name="Say it again").click()
    assert page.evaluate("window.spoken") == [["5 dollars", "en"]]


def test_say_it_again_never_says_the_answer_of_a_photo_before(open_page: OpenPage) -> None:
    page = open_page()
    read_five(page)
    page.get_by_label("Choose pictures").set_input_files(LETTER)
    assert headline(page) == "That did not work"
    record_speech(page)
    page.get_by_role("button", name="Say it again").click()
    [[spoken, _]] = page.evaluate("window.spoken")
    assert "dollars" not in spoken


def test_say_it_again_never_says_a_photos_answer_to_the_camera(open_page: OpenPage) -> None:
    page = open_page()
    read_five(page)
    page.get_by_role("button", name="Live camera").click()
    page.locator("#verdict[data-state=guide]").wait_for()
    record_speech(page)
    page.get_by_role("button", name="Say it again").click()
    [[spoken, _]] = page.evaluate("window.spoken")
    assert "dollars" not in spoken


def test_the_title_never_names_an_answer_that_is_gone(open_page: OpenPage) -> None:
    page = open_page()
    read_five(page)
    assert page.title() == "$5 · Which bill is this?"
    page.get_by_role("button", name="Live camera").click()
    assert "$5" not in page.title()
    page.get_by_role("button", name="Stop the camera").click()
    assert page.title() == "Which bill is this?"


def test_an_answer_can_be_felt(open_page: OpenPage) -> None:
    page = open_page()
    record_pulses(page)
    page.get_by_label("Vibration").check()
    read_five(page)
    assert page.evaluate("window.pulses.length / 2") == 3


def test_a_phone_that_only_vibrates_makes_no_sound(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_label("Vibration").check()
    read_five(page)
    record_pulses(page)
    record_speech(page)
    page.get_by_role("button", name="Say it again").click()
    assert page.evaluate("window.pulses.length / 2") == 3
    assert page.evaluate("window.spoken") == []


def test_several_bills_are_felt_one_after_the_other(open_page: OpenPage) -> None:
    page = open_page()
    record_pulses(page)
    page.get_by_label("Vibration").check()
    given = [SAMPLES / "five.webp", SAMPLES / "fifty.webp"]
    page.get_by_label("Choose pictures").set_input_files(given)
    page.locator("#verdict[data-state=several]").wait_for()
    pauses = page.evaluate("window.pulses")[1::2]
    assert len(pauses) == 3 + 6
    assert pauses.index(max(pauses)) == 3 - 1


def test_more_bills_than_a_phone_can_pulse_end_with_a_whole_one(open_page: OpenPage) -> None:
    page = open_page()
    record_pulses(page)
    page.get_by_label("Vibration").check()
    page.evaluate("verdict.dataset.denomination = Array(16).fill('100').join()")
    page.evaluate("verdict.dataset.state = 'several'")
    page.get_by_role("button", name="Say it again").click()
    assert page.evaluate("window.pulses.length / 2") % 7 == 0
    assert page.evaluate("window.pulses.length") < 100


def test_tones_count_as_pulses_do_and_share_one_source_of_sound(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate(LISTEN)
    page.get_by_label("Tones").check()
    page.wait_for_function("contexts[0]?.state === 'running'")
    read_five(page)
    page.get_by_role("button", name="Say it again").click()
    assert page.evaluate("window.tones") == [660] * 6
    assert page.evaluate("window.contexts.length") == 1


@pytest.mark.parametrize("way", ["Speech", "Vibration", "Tones"])
def test_a_way_that_was_chosen_stays_chosen(open_page: OpenPage, way: str) -> None:
    page = open_page()
    page.get_by_label(way).check()
    page.reload()
    assert page.get_by_label(way).is_checked()


def test_where_nothing_may_be_remembered_all_else_works(open_page: OpenPage) -> None:
    page = open_page()
    forbidden = "get() { throw new DOMException('', 'SecurityError'); }"
    page.add_init_script(f"Object.defineProperty(window, 'localStorage', {{ {forbidden} }})")
    page.reload()
    record_pulses(page)
    page.get_by_label("Vibration").check()
    read_five(page)
    assert page.evaluate("window.pulses.length / 2") == 3


def test_on_a_small_screen_the_answer_comes_into_view(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 320, "height": 480})
    read_five(page)
    box = page.locator("#verdict").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 480
