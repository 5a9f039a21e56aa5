"""docs/your-own.md: three classes that are no money, from pictures to page and terminal."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from tests import specimen
from tests.support.servers import HOW_TO_SERVE, ROOT, ModelServer
from tests.training.conftest import tiny_backbone
from tests.webapp.server import FrontEnd
from training.__main__ import main

__all__ = ["tiny_backbone"]

COLOURS = {"apple": 0, "teapot": 1, "mug": 2}  # red, green, blue
OTHER = "Other"
NAMES = {
    "mug": {"en": "a mug", "es": "una taza"},
    OTHER: {"en": "None of them", "es": "Ninguno de ellos"},
}
FORM = {"Accept": "text/html"}


def picture(thing: str, seed: int) -> bytes:
    """A pattern in the thing's own colour; in grey for `Other`."""
    rng = np.random.default_rng((len(thing), seed))
    pixels = np.repeat(rng.integers(0, 90, (8, 8, 1), np.uint8), 3, axis=2)
    if thing != OTHER:
        pixels[..., COLOURS[thing]] += 160
    return specimen.encode(Image.fromarray(pixels).resize((96, 96)), "PNG")


@pytest.fixture(scope="module")
def models(tiny_backbone: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained by the real commands on ten pictures of each thing, and of others."""
    folder = tmp_path_factory.mktemp("own")
    for thing in (*COLOURS, OTHER):
        (folder / "photos" / thing).mkdir(parents=True)
        for n in range(10):
            (folder / "photos" / thing / f"{thing}-{n}.png").write_bytes(picture(thing, n))
    (folder / "names.json").write_text(json.dumps(NAMES))
    photos, run = str(folder / "photos"), ["--run", str(folder / "run")]
    recipe = ["--backbone", "tiny", "--weights", "none", "--batch", "8", "--edges", "0"]
    # The head of the tiny network learns the colours; there is nothing below it to be trained.
    recipe += ["--head-views", "1600", "--head-rate", "0.3", "--views", "8", "--rate", "1e-6"]
    assert main(["fit", photos, *run, *recipe]) == 0
    more = ["--models", str(folder / "things"), "--names", str(folder / "names.json")]
    assert main(["export", photos, *run, *more, "--risk", "1"]) == 0
    return folder / "things"


@pytest.fixture(scope="module")
def model_server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """The local server with that model alone."""
    config = f"""model_config_list {{ config {{
        name: "things" base_path: "{models}" model_platform: "tensorflow"
        version_labels {{ key: "stable" value: 1 }}
    }} }}"""
    folder = tmp_path_factory.mktemp("model_server")
    with ModelServer(folder, HOW_TO_SERVE, config, wait_for=["things"]) as server:
        yield server


@pytest.fixture(scope="module")
def settings(model_server: ModelServer, models: Path) -> dict[str, str]:
    """The two settings of docs/your-own.md."""
    return {"US_BILLS_MODEL_NAME": "things", "US_BILLS_MODELS": str(models)}


@pytest.fixture(scope="module")
def front_end(model_server: ModelServer, settings: dict[str, str]) -> Iterator[FrontEnd]:
    with FrontEnd(model_server.grpc_url, US_BILLS_TIMEOUT="60", **settings) as running:
        running.wait_for("/readyz", 200)
        yield running


@pytest.mark.parametrize(("thing", "said"), [("apple", "apple"), ("mug", "a mug")])
def test_the_api_names_it(front_end: FrontEnd, thing: str, said: str) -> None:
    (answer,) = front_end.predict(picture(thing, 99)).json()["predictions"]
    assert (answer["denomination"], answer["value"], answer["said"]) == (thing, None, said)


@pytest.mark.parametrize(
    ("thing", "lang", "said"),
    [
        *[("apple", "en", "apple"), ("mug", "en", "a mug"), ("mug", "es", "una taza")],
        (OTHER, "es", "Ninguno de ellos"),
    ],
)
def test_the_page_names_it(front_end: FrontEnd, thing: str, lang: str, said: str) -> None:
    url = f"{front_end.url}/predict?lang={lang}"
    files = {"image": picture(thing, 99)}
    page = requests.post(url, files=files, headers=FORM, timeout=60).text
    assert f'<p class="headline" aria-hidden="true">{said}</p>' in page
    assert f'<p class="said">{said}</p>' in page
    assert f'data-state="{"other" if thing == OTHER else "sure"}"' in page


def test_the_terminal_names_it(
    model_server: ModelServer, settings: dict[str, str], tmp_path: Path
) -> None:
    files = [tmp_path / f"{thing}.png" for thing in COLOURS]
    for file in files:
        file.write_bytes(picture(file.stem, 99))
    done = subprocess.run(
        [sys.executable, "-m", "webapp", "classify", *map(str, files)],
        cwd=ROOT,
        env=os.environ | settings | {"US_BILLS_MODEL_SERVER": model_server.grpc_url},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(COLOURS)
