"""The examples of the README give the output that it shows."""

import json
import re
import shutil
import sys

import pytest

from tests import specimen
from tests.end_to_end.conftest import Ask, Stack, blocks, read_documents
from tests.support.servers import ROOT
from training.evaluation import model_card

README = (ROOT / "README.md").read_text(encoding="utf-8")
CARD = model_card.read(ROOT / "models/us_bills/1")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("example", blocks(README, "sh"), ids=lambda text: text.strip()[:40])
def test_every_shell_example_gets_an_answer(ask: Ask, example: str) -> None:
    documents = read_documents(ask(["sh", "-ec"], example))
    assert len(documents) == example.count("curl")
    for document in documents:
        assert document.keys() & {"predictions", "model_version_status", "metadata"}


def test_the_python_example_prints_version_and_classes(ask: Ask) -> None:
    (example,) = blocks(README, "python")
    lines = ask([sys.executable, "-c"], example).splitlines()
    assert re.fullmatch(r"version 1 accepted (True|False)", lines[0])
    assert {line.split()[0] for line in lines[1:]} == set(CARD["classes"])


def test_the_answers_shape_in_the_readme_is_the_real_one(stack: Stack) -> None:
    (shown,) = map(json.loads, blocks(README, "json"))
    photo = specimen.encode(specimen.bill("20"), "JPEG")
    real = stack.predict(photo).json()
    assert shown.keys() == real.keys()
    assert shown["model"] == real["model"]
    assert shown["predictions"][0].keys() == real["predictions"][0].keys()


def test_the_output_of_make_run_in_the_readme_is_the_real_one(stack: Stack) -> None:
    (shown,) = [block for block in blocks(README, "console") if block.startswith("$ make run")]
    real = stack.output()
    for port, variable in (("5000", "WEB"), ("8500", "GRPC"), ("8501", "REST")):
        real = real.replace(f":{stack.ports[f'US_BILLS_{variable}_PORT']}", f":{port}")
    # Times and numbers of processes differ.
    said, expected = (re.sub(r"\d\d:\d\d:\d\d|\d+(?=\))| +", " ", text) for text in (real, shown))
    assert set(expected.splitlines()[2:]) <= set(said.splitlines())


def test_the_model_card_is_that_of_the_shipped_version() -> None:
    shown = README.partition(model_card.BEGIN)[2].partition(model_card.END)[0]
    assert shown.strip() == model_card.markdown(CARD)


def test_every_folder_and_link_of_the_readme_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_every_command_of_the_readme_is_one_of_make() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets
