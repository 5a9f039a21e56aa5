"""What the README shows is what happens."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import specimen
from tests.end_to_end.conftest import Stack
from tests.support.servers import HOST, ROOT
from training import card

README = (ROOT / "README.md").read_text(encoding="utf-8")
CARD = card.read(ROOT / "models/us_bills/1")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def ask(stack: Stack, tmp_path: Path) -> Any:
    """Runs an example beside a `photo.jpg`, against the running tiers, and returns its output."""
    (tmp_path / "photo.jpg").write_bytes(specimen.encode(specimen.bill("20"), "JPEG"))
    ports = {
        "5000": "US_BILLS_WEB_PORT",
        "8500": "US_BILLS_GRPC_PORT",
        "8501": "US_BILLS_REST_PORT",
    }

    def run(command: list[str], example: str) -> str:
        for port, variable in ports.items():
            example = example.replace(f"localhost:{port}", f"{HOST}:{stack.ports[variable]}")
        done = subprocess.run(
            [*command, example],
            cwd=tmp_path,
            env=stack.environment() | {"PYTHONPATH": str(ROOT), "no_proxy": "*"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("example", blocks("sh"), ids=lambda text: text.strip()[:40])
def test_every_shell_example_gets_an_answer(ask: Any, example: str) -> None:
    output = ask(["sh", "-ec"], example)
    # The last example holds two commands, so two documents come one after the other.
    decoder, documents = json.JSONDecoder(), []
    while output := output.strip():
        document, end = decoder.raw_decode(output)
        documents.append(document)
        output = output[end:]
    assert len(documents) == example.count("curl")
    for document in documents:
        assert document.keys() & {"predictions", "model_version_status", "metadata"}


def test_the_python_example_prints_version_and_classes(ask: Any) -> None:
    (example,) = blocks("python")
    lines = ask([sys.executable, "-c"], example).splitlines()
    assert re.fullmatch(r"version 1 accepted (True|False)", lines[0])
    assert {line.split()[0] for line in lines[1:]} == set(CARD["classes"])


def test_the_answers_shape_in_the_readme_is_the_real_one(stack: Stack) -> None:
    (shown,) = map(json.loads, blocks("json"))
    photo = specimen.encode(specimen.bill("20"), "JPEG")
    real = stack.predict(photo).json()
    assert shown.keys() == real.keys()
    assert shown["model"] == real["model"]
    assert shown["predictions"][0].keys() == real["predictions"][0].keys()


def test_the_output_of_make_run_in_the_readme_is_the_real_one(stack: Stack) -> None:
    (shown,) = [block for block in blocks("console") if block.startswith("$ make run")]
    real = stack.output()
    for port, variable in (("5000", "WEB"), ("8500", "GRPC"), ("8501", "REST")):
        real = real.replace(f":{stack.ports[f'US_BILLS_{variable}_PORT']}", f":{port}")
    real = re.sub(r"^\d\d:\d\d:\d\d ", "", real, flags=re.MULTILINE)
    said = {re.sub(r"pid=\d+", "pid", re.sub(r"\s+", " ", line)) for line in real.splitlines()}
    for line in shown.splitlines()[2:]:
        assert re.sub(r"pid=\d+", "pid", re.sub(r"\s+", " ", line)) in said


def test_the_model_card_is_that_of_the_shipped_version() -> None:
    shown = README.partition(card.BEGIN)[2].partition(card.END)[0]
    assert shown.strip() == card.markdown(CARD)


def test_every_folder_and_link_of_the_readme_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_every_command_of_the_readme_is_one_of_make() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets
