"""The examples of `docs/api.md` give the output that the page shows."""

import json
import shutil
import sys
from typing import Any

import pytest

from tests import specimen
from tests.browser.conftest import launched
from tests.end_to_end.conftest import Ask, Stack, blocks, read_documents
from tests.support.servers import ROOT

DOCUMENT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BILL = specimen.encode(specimen.bill("20"), "JPEG")


@pytest.fixture(scope="module")
def denomination(stack: Stack) -> str | None:
    """What the API says of the photo that the examples send."""
    said: str | None = stack.predict(BILL).json()["predictions"][0]["denomination"]
    return said


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("example", blocks(DOCUMENT, "sh"), ids=lambda text: text.strip()[:40])
def test_every_curl_example_gets_answers(ask: Ask, denomination: str | None, example: str) -> None:
    [reply] = read_documents(ask(["sh", "-ec"], example))
    assert len(reply["predictions"]) == max(1, example.count("-F image="))
    assert {each["denomination"] for each in reply["predictions"]} == {denomination}
    assert all(("heatmap" in each) == ("explain=1" in example) for each in reply["predictions"])


def test_the_python_example_prints_the_denomination(ask: Ask, denomination: str | None) -> None:
    (example,) = blocks(DOCUMENT, "python")
    assert ask([sys.executable, "-c"], example).strip() == str(denomination)


def test_the_javascript_example_works_in_a_browser(
    driver: Any, stack: Stack, denomination: str | None
) -> None:
    example = javascript().replace("http://localhost:5000", stack.web_url)
    call = f"(bytes) => {{ {example}; return readBill(new Uint8Array(bytes).buffer); }}"
    with launched(driver) as browser:
        page = browser.new_page(service_workers="block")
        page.goto(stack.web_url)
        assert page.evaluate(call, list(BILL)) == denomination


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_the_javascript_example_works_in_node(ask: Ask, denomination: str | None) -> None:
    read = 'import("node:fs/promises").then(({ readFile }) => readFile("photo.jpg"))'
    script = f"{javascript()}; {read}.then(readBill).then((said) => console.log(said));"
    assert ask(["node", "-e"], script).strip() == ("null" if denomination is None else denomination)


def javascript() -> str:
    (example,) = blocks(DOCUMENT, "js")
    return example


def test_the_answers_shape_in_the_document_is_the_real_one(stack: Stack) -> None:
    (shown,) = map(json.loads, blocks(DOCUMENT, "json"))
    real: dict[str, Any] = stack.predict(BILL).json()
    assert shown.keys() == real.keys()
    # They are there where the model server has a counter.
    counted = {"bills", "total"} if real["count"]["available"] else set()
    assert shown["predictions"][0].keys() - {"bills", "total"} | counted == set(
        real["predictions"][0].keys()
    )
