"""Photos of a design that no version was trained on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import specimen


@pytest.fixture
def new_design(tmp_path: Path) -> Path:
    """Ten different yellow patterns, which stand for the new 20."""
    folder = tmp_path / "new"
    (folder / "20").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(10):
        pixels = rng.integers(0, 90, (8, 8, 3), np.uint8)
        pixels[..., :2] += 160
        file = folder / "20" / f"phone-{number}.png"
        file.write_bytes(specimen.encode(Image.fromarray(pixels).resize((96, 96)), "PNG"))
    return folder
