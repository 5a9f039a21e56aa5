"""axe checks the page in every state, in both languages, light and dark, small and large."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import LETTER, PHONE, PHOTO, OpenPage, Page, headline

AXE = {"rules": {"target-size": {"enabled": True}}}
"""WCAG 2.2's size of targets is the one rule of its level AA that axe leaves out by default."""


def check(page: Page) -> None:
    found = Axe().run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()


def film(page: Page) -> None:
    page.locator("#live").click()
    page.locator("#verdict[data-state=guide]").wait_for()


def give_several(page: Page) -> None:
    page.get_by_label("Choose pictures").set_input_files([PHOTO, LETTER])
    page.locator("#verdict[data-state=several]").wait_for()


def give_a_letter(page: Page) -> None:
    page.get_by_label("Choose pictures").set_input_files(LETTER)
    headline(page)


def take_the_script_away(page: Page) -> None:
    page.route("**/page.js", lambda route: route.abort())
    page.reload()
    page.get_by_role("button", name="Read the bill").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "es"])
def test_axe_finds_nothing_beside_an_answer(open_page: OpenPage, scheme: str, lang: str) -> None:
    page = open_page(color_scheme=scheme, bypass_csp=True, locale=lang)
    page.locator("#samples button").first.click()
    page.locator("#details li").first.wait_for()
    check(page)


@pytest.mark.parametrize("path", ["/", "/offline"])
@pytest.mark.parametrize("contrast", ["more", "no-preference"])
def test_axe_finds_nothing_on_the_empty_page(open_page: OpenPage, path: str, contrast: str) -> None:
    check(open_page(path, bypass_csp=True, contrast=contrast))


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("state", [film, give_several, give_a_letter, take_the_script_away])
def test_axe_finds_nothing_in_any_other_state(
    open_page: OpenPage, state: Callable[[Page], None], width: int
) -> None:
    page = open_page(bypass_csp=True, viewport={"width": width, "height": 800})
    state(page)
    check(page)


def test_axe_finds_nothing_on_a_phone(open_page: OpenPage) -> None:
    page = open_page(bypass_csp=True, **PHONE)
    check(page)
    give_several(page)
    check(page)
